"""Tracks of an acquisition made anew: `replay` finds them on any connection that sees one moment of the database, and
`staged_tracks` has the writer put them aside in pieces and make them current in one transaction.

Takes stored nuclei and kept results; gives rows. It decides neither when tracks are made anew nor in which process.
"""
