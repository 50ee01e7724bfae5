"""Contenders of the benchmarks: scripts that run in their own process, some in an interpreter without this package.

Each takes the path of a ``.npz`` file with the data (``windows``, ``labels``) and its settings as JSON, builds and
warms up, then runs one epoch for every line on standard input and prints the seconds that it took.
"""
