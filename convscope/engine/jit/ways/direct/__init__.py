"""Convolutions by direct sums: every multiply-add as the formula has it."""
