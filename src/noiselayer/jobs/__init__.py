"""What each command does, from files to files; the command line only parses and prints."""
