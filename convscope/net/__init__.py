"""What is trained: specs, named nets, shapes."""
