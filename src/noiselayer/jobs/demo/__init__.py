"""The demonstration: handwritten digits, labels made wrong on purpose, and three ways to take them."""
