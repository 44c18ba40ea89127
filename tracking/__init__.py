"""Nuclei tables in, tracks and lineages out.

Takes the nuclei of one time point after the other; gives tracks, provisional at first and final after the lag. It knows
positions and sizes, and neither images nor files.
"""
