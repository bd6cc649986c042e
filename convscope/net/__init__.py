"""What is trained: nets as text and as graphs, their layers, shapes, losses, model files, pretrained weights."""
