"""Olympus and Evident: OIF with its folder, OIB, and OIR with the files in which it goes on.

Takes a path; gives acquisitions, and whether all that belongs to the file is there.
"""
