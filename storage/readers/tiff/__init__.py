"""TIFF in the dialects that microscopes and their programs write: OME-TIFF, ImageJ, LSM, plain.

Takes a path; gives acquisitions, and whether the file is whole by its own chain of pages.
"""
