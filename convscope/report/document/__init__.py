"""A run as one document that is sent to others: an HTML file, or a model card."""
