"""Arrays in, label images and tables out: the NuSeT network and everything numeric up to one table of nuclei per time point."""
