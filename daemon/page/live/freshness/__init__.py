"""What is old, and what need not be made again: marks of the database, answers and other things that are kept by them.

Takes the database and what makes an answer; gives whether anything has changed, tells all who listen, and keeps what
was made until then. It knows nothing of what is kept, and writes nothing.
"""
