"""What leaves a run: its net as a file, and what is known of it as a document."""
