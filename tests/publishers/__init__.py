"""Recordings in the publishers' layouts, written from simulated subjects: tests and benchmarks read them back."""
