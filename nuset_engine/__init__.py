"""Arrays in, label images and tables out: the NuSeT network, and all that is numeric up to one table of nuclei.

Takes planes and volumes as arrays, with voxel sizes; gives labels and measurements. Of files it knows weights alone,
and what it is trained on.
"""
