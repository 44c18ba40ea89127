"""One time point joined to those before it: possible links and divisions, and the best of them together.

Takes frames (positions in micrometres, features) and what the movie has shown; gives how each nucleus goes on, and puts
earlier decisions right while they are provisional. It weighs by `tracking.evidence.beliefs` alone, and holds no images.
"""
