"""All data input and output: readers of microscope files, OME-Zarr stores, the database."""
