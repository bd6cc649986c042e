"""ONNX: the program with its preparation of pictures as one graph, written with onnx.helper."""
