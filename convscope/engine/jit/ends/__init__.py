"""Where a block's work begins and ends: its images, and its loss."""
