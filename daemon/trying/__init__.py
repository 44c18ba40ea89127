"""Settings tried on a time point that is stored, and two results compared: for the page, in a process of its own.

Takes tasks through a pipe, the images and labels of stores, and the segmenter; gives pictures of labels and figures in
a folder that is removed afterwards. Nothing is stored, the database is only read, and a running service goes first.
"""
