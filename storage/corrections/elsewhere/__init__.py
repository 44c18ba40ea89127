"""Movies that were edited elsewhere: read, compared with what is stored, and their differences said as corrections.

Takes folders of the Cell Tracking Challenge, TrackMate XML, GEFF, or labels that somebody painted; gives orders of the
kinds that there are, those of one import together. What cannot be said so is named. It writes no row itself.
"""
