"""Random faults for `tests/benchmarks/mutate.py`: which there are, in which modules, and which change nothing."""
