"""Micro-Manager: MMStack and NDTiff, files that go on in each other, with an index of planes.

Takes a path; gives acquisitions, and which planes are there so far.
"""
