"""The live page: what people see of a database in their browser while the experiment runs.

Takes a database, read only; gives answers to requests, pictures and tables, and the page's own files. It never writes:
what a person orders goes through the same requests as the command line's. It loads nothing from elsewhere.
"""
