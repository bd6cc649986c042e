"""The training loop: which images make an update, when to stop, and what the net is worth."""
