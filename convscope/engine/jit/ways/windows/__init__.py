"""Windows over an image, one output each: pools, and the rectangles of uneven pools and of padding."""
