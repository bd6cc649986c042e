"""C: one C99 header with a readable forward pass, that needs math.h and nothing else."""
