"""Back-propagation of an expression or a small net, node by node."""
