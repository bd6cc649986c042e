"""Several trainings for one question: which rate, which net, how much chance there is in a result."""
