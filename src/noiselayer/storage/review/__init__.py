"""The decisions of a person who has looked at suspects, and the labels they make of it."""
