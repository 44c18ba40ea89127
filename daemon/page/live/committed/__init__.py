"""What was committed, for who follows it: lines as server-sent events, and what rules made of them.

Takes the database and what a visitor asks; gives streams and plain values, read once for all who ask the same. Nothing
here writes.
"""
