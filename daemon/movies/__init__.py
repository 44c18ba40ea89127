"""Movies of time-lapses: outlines of nuclei over the image, and the tails of their tracks, as GIF or MP4.

Takes an acquisition through `storage`, one time point at a time, and writes each frame before the next is read, so that
memory does not grow with the length of the movie. It changes no result.
"""
