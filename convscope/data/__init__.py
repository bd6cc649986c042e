"""Where images come from: readers, folders, pictures, and what is done to a picture before a net sees it."""
