"""The noise matrix itself: made, checked, projected, stored sparsely, applied to labels (§3.1, §4.1)."""
