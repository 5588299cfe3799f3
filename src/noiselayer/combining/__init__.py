"""Labels of several sources in a file -> one label per sample, and a page on what each source is worth."""

from noiselayer.combining.combine import CombinedTable, combine_table
from noiselayer.combining.read import VoteTable, read_votes

__all__ = ["CombinedTable", "VoteTable", "combine_table", "read_votes"]
