"""HTML: one page with the net inside, that needs no server, no network and no library."""
