"""The kinds of network that can be trained and compared, a file each: NuSeT as it ships, and what it is compared with.

Takes sizes of a network, crops with their targets, or a network's answers; gives the network, its losses, or nuclei.
Nothing here knows of images, folders or training runs, and only `registry` knows which kinds there are.
"""
