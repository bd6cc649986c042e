"""Image files in folders, tables and archives: which there are, which part and class each belongs to."""
