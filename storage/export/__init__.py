"""Results in other formats: one committed snapshot of an acquisition, written whole or not at all.

Takes a snapshot of rows and the acquisition's OME-Zarr; gives a file or folder that appears when it is whole. It
changes neither.
"""
