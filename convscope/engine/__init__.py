"""Who does the arithmetic of a training step."""
