"""What happens around an update: its rate and those of single parameters, what each class counts, average and slow
weights, and where kept weights lie in memory.
"""
