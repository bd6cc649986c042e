"""The server: the guard, the page and its files, and one router a room."""
