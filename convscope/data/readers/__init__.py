"""Readers: one a kind of source, each returns image sets."""
