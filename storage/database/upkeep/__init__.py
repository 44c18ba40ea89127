"""Rows of results that people moved, or want to forget, and of problems that nobody needs to see any more.

Takes a connection; writes rows and removes them. It touches no file.
"""
