"""Measured claims. ``python -m bench`` prints every table with its machine, versions, n, median and range."""
