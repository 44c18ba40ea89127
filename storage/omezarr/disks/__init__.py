"""What stores are written to: a folder whose files survive a power cut, or an object store behind a URL.

Takes keys and bytes, as zarr gives them, and folders to put in the place of others; gives them back. It knows nothing
of images, labels and time points.
"""
