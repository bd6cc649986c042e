"""Images that lie in a file, not in memory: the system reads what is used, and gives its memory back."""
