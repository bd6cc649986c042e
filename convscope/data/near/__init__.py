"""Pairs of images that are nearly the same."""
