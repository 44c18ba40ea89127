"""Which channel shows nuclei, found by looking: a small trial of a segmenter on each.

Takes the planes of the channels of one time point and a segmenter; gives figures for each channel and a verdict. It
knows no names of stains, no files, and nothing of what follows from a verdict.
"""
