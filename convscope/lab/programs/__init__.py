"""The programs behind "as PyTorch": each needs torch alone."""
