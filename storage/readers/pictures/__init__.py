"""PNG and JPEG: single planes, grey or in colour, as scanners, simple cameras and published data sets give them.

Takes files; gives acquisitions of one plane per channel. They say nothing of lengths or times.
"""
