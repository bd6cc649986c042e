"""A first convolution and the normalisation behind it as one: normed.py; what it asks of the images: moments.py."""
