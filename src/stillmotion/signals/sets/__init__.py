"""Readers of published data sets: one module, with one card, for each."""
