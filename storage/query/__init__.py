"""Everything that only reads rows: what people ask, as pages of any length or as a table.

Takes a connection that cannot write, filters and columns; gives Arrow pages, pandas tables or plain values. It never
writes.
"""
