"""Contenders of ``still bench training``: scripts that run as processes of their own, some where this package is not.

Each takes the path of a ``.npz`` with the data (``windows``, ``labels``) and its settings as JSON, builds and warms up,
then runs one epoch for every line on its standard input and answers with the seconds that it took.
"""
