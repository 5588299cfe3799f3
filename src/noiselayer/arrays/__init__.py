"""Arrays as people hand them in: rows of memory maps, read without keeping their pages."""
