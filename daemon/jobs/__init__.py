"""Work that people order on the page and that goes on beside the service: images to predict, weights to train.

Takes an order as commands of `nusetd`; gives a folder for each job with everything about it, so that whoever comes
later, and be it after a restart, finds it. Each job has a process of its own, which lets the service go first. It knows
no page: it must not touch the database, but to see whether the service has work to do.
"""
