"""The tables of the database, the views over them, and how an older database becomes one of this version.

Takes a connection; changes tables only in `migrate`. It reads and writes no rows of its own.
"""
