"""A run is a folder: its files, its saved state, how it is resumed, and what its net says of images."""
