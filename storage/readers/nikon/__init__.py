"""Nikon ND2: its chunks and their map, and the images in it.

Takes a path; gives acquisitions, and whether the file is whole by its map of chunks.
"""
