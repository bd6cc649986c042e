"""Batch normalisation: what it is (layer.py), and how it is computed (normalised.py, statistics.py)."""
