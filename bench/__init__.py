"""Benchmarks: each figure is the ratio of two things measured in the same run. Start with `python -m bench`."""
