"""The run that is trained while the page watches: a process of its own, and what it says."""
