"""Files that are whole or not there, and images in files."""
