"""What every room asks of the server, one module a room."""
