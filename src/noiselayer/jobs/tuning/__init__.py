"""Choose weights and penalties on samples held out: alpha, gamma, and the penalties on Q (§3.3, §3.5, §3.6)."""
