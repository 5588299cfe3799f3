"""The noise matrix from noisy labels alone (§3.3)."""
