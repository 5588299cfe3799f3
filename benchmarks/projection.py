"""Projection of the columns of Q on the simplex, beside the algorithm that sorts, and beside a copy of the matrix.

python benchmarks/projection.py [--quick]
"""

from __future__ import annotations

import torch
from measure import arguments, interleaved, milliseconds, ratios, row, write
from torch import Tensor

from noiselayer.noise import project, symmetric


def by_sorting(v: Tensor) -> Tensor:
    """Duchi et al. (2008)."""
    u = v.sort(dim=0, descending=True).values
    ranks = torch.arange(1, len(v) + 1, dtype=v.dtype).unsqueeze(1)
    thetas = (u.cumsum(dim=0) - 1) / ranks
    support = (u > thetas).sum(dim=0, keepdim=True)
    return (v - thetas.gather(0, support - 1)).clamp_min_(0)


def matrices(K: int) -> dict[str, Tensor]:
    """What a gradient step leaves, and harder ones."""
    torch.manual_seed(0)
    return {
        "a step from symmetric noise": symmetric(K, 0.3) - 1e-3 * torch.rand(K, K),
        "a step from the identity": torch.eye(K) - 0.01 * torch.rand(K, K),
        "half of the entries cut": torch.rand(K, K) * 4 / K,
        "normal entries, few kept": torch.randn(K, K),
    }


def main() -> None:
    """Parse the options and run."""
    options = arguments(__doc__).parse_args()
    K, rounds = (100, 3) if options.quick else (1000, 50)
    rows = []
    before = torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for name, v in matrices(K).items():
            room = torch.empty_like(v)
            both = {"ours": lambda v=v: project(v), "copying": lambda v=v, room=room: room.copy_(v)}
            seconds, copying = interleaved(both, rounds).values()
            sorting = interleaved({"sorting": lambda v=v: by_sorting(v)}, max(3, rounds // 10))["sorting"]
            size = f"{K} x {K}, {name}, {threads} thread{'s' if threads > 1 else ''}"
            rows.append(
                row(f"project, {size}", milliseconds(seconds), "ms", at_most=3.0 if threads == 2 else None)
            )
            rows.append(row(f"project / copying the matrix, {size}", ratios(seconds, copying), "x"))
            rows.append(row(f"by sorting, {size}", milliseconds(sorting), "ms"))
            error = float((project(v).double() - by_sorting(v.double())).abs().max())
            rows.append(row(f"largest difference from sorting in float64, {size}", [error], ""))
    torch.set_num_threads(before)
    write("projection", "Projection on the simplex", rows, quick=options.quick)


if __name__ == "__main__":
    main()
