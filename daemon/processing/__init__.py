"""From queued time points to committed, visible, painted ones: the queue loop, the worker, and what happens when
something dies.

Takes the catalog's queue and a worker; gives results through `daemon.pipeline`. It watches no folder.
"""
