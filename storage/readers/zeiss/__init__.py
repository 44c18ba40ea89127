"""Zeiss CZI: its segments, and the images in it.

Takes a path; gives acquisitions, and whether the file is whole by its directory of subblocks.
"""
