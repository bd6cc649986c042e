"""First weights other than PyTorch's own."""
