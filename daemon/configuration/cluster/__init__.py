"""A cluster in place of workers on this machine, as `[engine]` and `--workers` name it.

Takes the table `[engine]`, gives the scheduler's address with what it takes to be let in, or sentences about what is
wrong with it. It must not load Dask, or try to reach anything.
"""
