"""What stands on the disk: runs, audits, reviews."""
