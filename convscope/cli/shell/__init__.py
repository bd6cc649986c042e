"""What a shell knows of the commands: completion, and the manual page."""
