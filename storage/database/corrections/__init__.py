"""What people said of nuclei and links: written down as events, and brought to rows and tracks by one transaction.

Takes orders, and what came of them on the labels; gives rows that follow, and what was there before, kept aside so that
it can be put back exactly. Corrections lie on top of finished results: before anything else is computed of an
acquisition they are taken off, and they are put on again when it is finished. It touches no labels.
"""
