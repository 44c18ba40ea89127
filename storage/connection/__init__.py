"""Connections to the database: where it may lie, with which settings, and the lock of its one writer.

Takes a place; gives an engine of SQLAlchemy or a sentence why there is none. It knows no tables.
"""
