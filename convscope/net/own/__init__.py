"""Nets that are somebody's own torch.nn.Module: read as a graph of layers where that can be, else taken as they are."""
