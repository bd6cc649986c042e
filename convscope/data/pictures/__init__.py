"""Image files: decoded one by one or many at a time, and their pixels kept in the cache."""
