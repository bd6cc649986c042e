"""How each node of a graph is computed: one file a way, formula beside code."""
