"""Files that people keep beside results: tables as text, CSV, JSON and Parquet, Cell Tracking Challenge folders; and
how any file comes to its place whole.

Takes paths and tables; gives tables and paths. It knows neither the database nor OME-Zarr.
"""
