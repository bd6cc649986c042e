"""What a trained net makes of one image, from the classes down to the products."""
