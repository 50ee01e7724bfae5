"""Keras networks, CBAM attention, named taps, exact cost, the bundle."""
