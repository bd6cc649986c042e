"""Nets that have learned to see already: what they are made of, and where their weights come from."""
