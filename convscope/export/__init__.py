"""A trained net leaves: one module a format, each written from the same program of plain steps, each proved."""
