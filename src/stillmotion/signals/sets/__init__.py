"""One file and one card a data set."""
