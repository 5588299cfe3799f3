"""What ``noiselayer estimate`` can be asked; imports nothing that computes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from noiselayer.choices import EstimateMethod
from noiselayer.errors import InputError, argument
from noiselayer.jobs.option import option

_PREDICTIONS, _PAIRS = "From predictions", "From pairs of labels"
_OF_PREDICTIONS = ("clean_probs", "clean_labels", "noisy_probs", "noisy_labels")
_OF_PAIRS = ("true_labels", "given_labels")


@dataclass(frozen=True, kw_only=True)
class EstimateJob:
    """An estimate of the noise matrix as it is asked for."""

    out: Path = option(..., "Folder for the matrix.", names=("--out", "-o"))
    clean_probs: str | None = option(
        None,
        "A model's probabilities on samples with trusted labels: FILE.npy, FILE.npz:KEY, or a table "
        "such as predict --probs writes.",
        _PREDICTIONS,
    )
    clean_labels: str | None = option(
        None, "The trusted labels: FILE.npy, FILE.npz:KEY, FILE.csv[:COLUMN].", _PREDICTIONS
    )
    noisy_probs: str | None = option(None, "The same model's on samples with noisy labels.", _PREDICTIONS)
    noisy_labels: str | None = option(None, "The noisy labels.", _PREDICTIONS)
    method: EstimateMethod | None = option(
        None, "Invert, or keep confusions few.", _PREDICTIONS, shown="auto"
    )
    sparsity: float | None = option(
        None, "For sparse: weight of the penalty.", _PREDICTIONS, shown="by cross-validation"
    )
    decisions: bool = option(False, "Count the most probable class instead of averaging.", _PREDICTIONS)
    num_bootstrap: int | None = option(
        None,
        "Draws for the standard errors; 0 for a formula.",
        _PREDICTIONS,
        ("--bootstrap",),
        shown="0",
        least=0,
        most=100_000,
    )
    true_labels: str | None = option(None, "Trusted labels of samples that have noisy ones too.", _PAIRS)
    given_labels: str | None = option(None, "The noisy labels of the same samples.", _PAIRS)
    checked_column: str | None = option(
        None, "Instead: trusted labels beside those, empty where nobody has looked.", _PAIRS
    )
    prior_strength: float | None = option(None, "Imagined pairs for every class.", _PAIRS, shown="1")
    class_names: tuple[str, ...] | None = option(
        None, "Names of the classes, in the order of the columns: a,b,c."
    )
    confidence: float = option(0.95, "Of the intervals.")
    seed: int = option(0, "Of cross-validation and bootstrap.", least=0, most=2**32 - 1)
    show: int = option(10, "How many confusions to print.", least=0)
    force: bool = option(False, "Write over files.")

    def __post_init__(self) -> None:
        if self.checked_column is not None and self.true_labels is not None:
            raise InputError(
                f"{argument('true_labels')} and {argument('checked_column')} both say where the trusted labels are; "
                "give one of them."
            )
        for needed, what in ((_OF_PREDICTIONS, "predictions"), (_OF_PAIRS, "pairs")):
            missing = [argument(name) for name in needed if name not in self.evidence]
            if "true_labels" in needed and self.checked_column is not None:
                missing = [name for name in missing if name != argument("true_labels")]
            if missing and (
                len(missing) < len(needed) or (what == "pairs" and self.checked_column is not None)
            ):
                raise InputError(f"an estimate from {what} also needs {', '.join(missing)}.")
        if not self.evidence:
            raise InputError(
                f"give predictions ({', '.join(map(argument, _OF_PREDICTIONS))}), pairs "
                f"({', '.join(map(argument, _OF_PAIRS))}), or both."
            )
        chosen = [name for name in ("method", "sparsity", "num_bootstrap") if getattr(self, name) is not None]
        if self.clean_probs is None and (chosen or self.decisions):
            raise InputError(
                f"{argument((chosen or ['decisions'])[0])} is about predictions, and none are given: "
                f"{argument('clean_probs')}."
            )
        if self.given_labels is None and self.prior_strength is not None:
            raise InputError(
                f"{argument('prior_strength')} is about pairs, and none are given: {argument('true_labels')}, "
                f"{argument('given_labels')}."
            )

    @property
    def evidence(self) -> dict[str, str]:
        """The files given, by the names of their fields."""
        files = {name: getattr(self, name) for name in (*_OF_PREDICTIONS, *_OF_PAIRS)}
        return {name: file for name, file in files.items() if file is not None}
