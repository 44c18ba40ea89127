"""Everything that writes rows: registration, the queue, commits, requests, and the states that they pass.

Takes plain values and frozen objects; gives frozen rows. Every method of `Catalog` is one transaction. It opens no
image, and nothing that only asks (`storage.query`) may import its writers.
"""
