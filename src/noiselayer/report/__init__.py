"""Pictures of what was learned, and one page that says it all."""
