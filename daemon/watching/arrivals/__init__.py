"""In which order what arrives is looked into: files of a heap, which wait for others, and what is due next.

It takes paths and moments, and gives paths; it opens no file.
"""
