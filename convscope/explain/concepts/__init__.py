"""The concepts of the note: losses, convolution, pooling, batches, descent and shapes, one file each."""
