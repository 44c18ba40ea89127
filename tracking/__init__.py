"""Nuclei tables in, tracks and lineages out."""
