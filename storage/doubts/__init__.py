"""Decisions that a person should look at first: doubts of rows, put in order, with what would mend each.

Takes the rows of one moment and what people have said so far; gives a list, one entry for each chain of errors. It
writes nothing: an answer is a correction (`storage.corrections`).
"""
