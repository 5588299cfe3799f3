"""Training with pytorch-lightning: batches with provenance, the phases of §3.4, and the methods."""
