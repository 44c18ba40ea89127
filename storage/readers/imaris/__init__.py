"""Imaris: HDF5 with a pyramid of resolutions, of which the full one is read.

Takes files; gives an acquisition. What lies in another file, by whatever kind of link, is refused.
"""
