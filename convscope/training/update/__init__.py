"""What happens around an update: its rate, what each class counts, and the average of the weights."""
