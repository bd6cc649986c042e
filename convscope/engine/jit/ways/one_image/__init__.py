"""Ways for one image alone: no batch fills the vectors, so they run along the image."""
