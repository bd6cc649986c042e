"""Machine code, written down: values, functions, the arrays that kernels work on, and the words for all of them."""
