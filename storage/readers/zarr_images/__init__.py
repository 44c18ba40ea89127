"""OME-Zarr 0.4 and 0.5 as input, with chunks that are looked at before they are unpacked.

Takes a folder or URL; gives acquisitions, and which time points are there so far.
"""
