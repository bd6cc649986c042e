"""Native: the engine's own machine code of a net as object files, for four kinds of processors."""
