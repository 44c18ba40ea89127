"""MetaMorph: STK stacks, and the ``.nd`` file that lists those of an experiment by wavelength, position and time.

Takes files; gives an acquisition for each position. Offsets are checked against the file before anything is read.
"""
