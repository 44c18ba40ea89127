"""Arrays in, label images and tables out: the NuSeT network, and all that is numeric up to one table of nuclei."""
