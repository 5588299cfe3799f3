"""Experiments that the paper does not have: later methods, a gold set, a small network."""
