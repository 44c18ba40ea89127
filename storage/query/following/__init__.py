"""What was committed, line by line, from a cursor on: each line once, however often somebody reads on.

Takes a snapshot and a cursor; gives plain values, each with the cursor behind it. Rows of nuclei and tracks are read
when they are told: where they changed since, the newest are given, and a later event tells them again. Nothing here
writes.
"""
