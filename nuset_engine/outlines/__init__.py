"""Where in a soft edge the outline of each nucleus lies.

Takes labels (Y, X), the probability that they were drawn by and the image, all at network resolution; gives the first
two with outlines moved, each nucleus by what its own rim shows. It knows neither the network nor the source's pixels.
"""
