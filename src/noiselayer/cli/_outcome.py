"""What a training came to, in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from noiselayer.cli._errors import say


def tell_outcome(metrics: dict[str, Any], out: Path) -> None:
    """Print the figures of a run.

    Args:
        metrics: See :func:`noiselayer.storage.saved_run.summarize`.
        out: The run's folder.
    """
    for warning in metrics.get("estimate", {}).get("warnings", ()):
        say(f"Note: {warning}")
    loss = metrics["best_validation_loss"]
    if loss is not None:
        say(
            f"Best validation loss {loss:.4f} nats on {'held-out' if metrics['mixed'] else 'noisy'} labels "
            f"(epoch {metrics['best_epoch'] + 1}); {metrics['seconds']:.0f} seconds of training."
        )
    if metrics["wrong_labels"] is not None and metrics["finished"]:
        say(f"By the noise matrix about {100 * metrics['wrong_labels']:.0f} % of the noisy labels are wrong.")
    if "test_error" in metrics:
        error, spread = metrics["test_error"], metrics["test_error_standard_error"]
        say(
            f"Test error on {metrics['test_samples']:,} trusted labels: {100 * error:.2f} % "
            f"(standard error {100 * spread:.2f})."
        )
    if metrics["finished"]:
        say(f"Written to {out}.")
    else:
        say(f"Stopped. {out} can be used as it is; --resume goes on after the last whole epoch.")
