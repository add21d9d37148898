"""Benchmarks: ratios against named peers in one run, medians of several rounds; `make bench`."""
