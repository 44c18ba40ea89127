"""From the labels of slices to nuclei in three dimensions.

Takes labels slice by slice, the voxel size in micrometres and, for evidence, the planes; gives one label volume
(Z, Y, X) and how far each nucleus can be trusted. It reads no network and no file.
"""
