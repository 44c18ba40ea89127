"""Stores that change hands: one of an earlier reading gives way to the next, one of another database is handed over.

Takes the place of a store and its owners, before and after; gives nothing back, and leaves alone what is nobody's or
somebody else's. It must not touch pixels or labels.
"""
