"""Synthetic images with known truth: blobs with artefacts, rendered confocal stacks, mitoses.

Takes parameters and a random generator; gives images and label images. It knows neither the network nor files.
"""
