"""The OME-Zarr of an acquisition: image, labels and tracks that grow by time points, visible only when whole.

Takes arrays and places (folders or URLs); gives stores that viewers read while they grow. It knows no database.
"""
