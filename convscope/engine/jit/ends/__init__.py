"""Where a block's work begins and ends: its images, the zeros around arrays, its loss."""
