"""What people order of a database, on the page or by a command, and the record of who it was.

Takes a database and an order; writes a request that the running service answers, or changes the rows itself in one
short transaction, and writes down who ordered what and how it ended. It computes nothing and touches no images.
"""
