"""The losses: bottom-up (§3.1), top-down (§3.5), clean and noisy samples together (§3.6)."""
