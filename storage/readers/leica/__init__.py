"""Leica LIF: its description and memory blocks, and the images in it.

Takes a path; gives acquisitions, and whether the file is whole by its memory blocks.
"""
