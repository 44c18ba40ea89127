"""The images of one command, shared out among processes: one network each, and what they say in the order of images.

Takes what is to be done with an image, a plain value that loads its network where it is begun, and the images; gives
outcomes and sentences as one process would have given them, whichever of several was quickest. It does not know what
is done. One process that dies costs the image that it was at.
"""
