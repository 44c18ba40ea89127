"""What the queue loop asks about each step of `daemon.pipeline`: which work is due, what a worker is told, and what
follows when it is done or fails.

Takes the catalog's rows and the workers' results; gives tasks, and calls the step functions of `daemon.pipeline` for
what the loop does itself. What all of them know besides the database is in `books`. It starts no process and sets no
order: both are the loop's and the table's.
"""
