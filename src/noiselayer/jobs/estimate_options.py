"""What ``noiselayer estimate`` can be asked; imports nothing that computes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from noiselayer.choices import EstimateMethod
from noiselayer.errors import InputError, argument
from noiselayer.jobs.option import Option

_PREDICTIONS, _PAIRS = "From predictions", "From pairs of labels"
_OF_PREDICTIONS = ("clean_probs", "clean_labels", "noisy_probs", "noisy_labels")
_OF_PAIRS = ("true_labels", "given_labels")


@dataclass(frozen=True, kw_only=True)
class EstimateJob:
    """An estimate of the noise matrix as it is asked for."""

    out: Annotated[Path, Option("Folder for the matrix.", names=("--out", "-o"))]
    clean_probs: Annotated[
        str | None,
        Option(
            "A model's probabilities on samples with trusted labels: FILE.npy, FILE.npz:KEY, or a table "
            "such as predict --probs writes.",
            _PREDICTIONS,
        ),
    ] = None
    clean_labels: Annotated[
        str | None, Option("The trusted labels: FILE.npy, FILE.npz:KEY, FILE.csv[:COLUMN].", _PREDICTIONS)
    ] = None
    noisy_probs: Annotated[
        str | None, Option("The same model's on samples with noisy labels.", _PREDICTIONS)
    ] = None
    noisy_labels: Annotated[str | None, Option("The noisy labels.", _PREDICTIONS)] = None
    method: Annotated[
        EstimateMethod | None, Option("Invert, or keep confusions few.", _PREDICTIONS, default="auto")
    ] = None
    sparsity: Annotated[
        float | None,
        Option("For sparse: weight of the penalty.", _PREDICTIONS, default="by cross-validation"),
    ] = None
    decisions: Annotated[
        bool, Option("Count the most probable class instead of averaging.", _PREDICTIONS)
    ] = False
    num_bootstrap: Annotated[
        int | None,
        Option(
            "Draws for the standard errors; 0 for a formula.",
            _PREDICTIONS,
            ("--bootstrap",),
            default="200",
            least=0,
            most=100_000,
        ),
    ] = None
    true_labels: Annotated[
        str | None, Option("Trusted labels of samples that have noisy ones too.", _PAIRS)
    ] = None
    given_labels: Annotated[str | None, Option("The noisy labels of the same samples.", _PAIRS)] = None
    checked_column: Annotated[
        str | None,
        Option("Instead: trusted labels beside those, empty where nobody has looked.", _PAIRS),
    ] = None
    prior_strength: Annotated[
        float | None, Option("Imagined pairs for every class.", _PAIRS, default="1")
    ] = None
    class_names: Annotated[
        tuple[str, ...] | None, Option("Names of the classes, in the order of the columns: a,b,c.")
    ] = None
    confidence: Annotated[float, Option("Of the intervals.")] = 0.95
    seed: Annotated[int, Option("Of cross-validation and bootstrap.", least=0, most=2**32 - 1)] = 0
    show: Annotated[int, Option("How many confusions to print.", least=0)] = 10
    force: Annotated[bool, Option("Write over files.")] = False

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
