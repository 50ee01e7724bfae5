"""Motion comes in: the signal contract, recordings, data sets, quality."""
