"""The noisy-label loss, forward and backward, beside cross_entropy and the textbook form.

    python benchmarks/loss.py [--quick]

Time is that of a forward and a backward pass, in rounds that take turns; a ratio is the median of the rounds'
ratios. Memory is the peak above the inputs, in a process of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import torch
from measure import (
    Row,
    arguments,
    in_fresh_process,
    interleaved,
    milliseconds,
    peak_bytes,
    ratios,
    row,
    write,
)
from torch import Tensor
from torch.nn.functional import cross_entropy, nll_loss

from noiselayer import NoisyLabelLoss, noisy_label_loss
from noiselayer.models import build_model

# batch, classes, rounds
CASES = [(128, 10, 1000), (1024, 10, 1000), (1024, 1000, 200), (512, 10_000, 9), (256, 21_841, 5)]
QUICK = [(1024, 10, 50), (256, 300, 5)]


def textbook(logits: Tensor, labels: Tensor, Q: Tensor) -> Tensor:
    """What one writes down first: K^2 work per sample."""
    return nll_loss((logits.softmax(dim=1) @ Q.T).log(), labels)


def functions(B: int, K: int) -> dict[str, Callable[[], None]]:
    """Forward and backward of each form."""
    torch.manual_seed(0)
    logits, labels = torch.randn(B, K, requires_grad=True), torch.randint(K, (B,))
    Q = torch.full((K, K), 0.2 / K).add_(torch.eye(K), alpha=0.8)

    def passes(loss: Callable[[Tensor, Tensor, Tensor], Tensor], learned: bool) -> Callable[[], None]:
        def run() -> None:
            logits.grad = Q.grad = None
            Q.requires_grad_(learned)
            loss(logits, labels, Q).backward()
            logits.grad = Q.grad = None

        return run

    return {
        "cross_entropy": passes(lambda z, y, _: cross_entropy(z, y), False),
        "fixed Q": passes(noisy_label_loss, False),
        "learned Q": passes(noisy_label_loss, True),
        "textbook, fixed Q": passes(textbook, False),
        "textbook, learned Q": passes(textbook, True),
    }


def bandwidth() -> float:
    """Bytes per second, read and written, of copying 256 MB."""
    source = torch.randn(2**26)
    target = torch.empty_like(source)
    seconds = interleaved({"copy": lambda: target.copy_(source)}, 7)["copy"]
    return 2 * 4 * 2**26 / min(seconds)


def of_case(B: int, K: int, rounds: int, bytes_per_second: float, memory: bool) -> list[Row]:
    """Times of all forms at one size, their ratios, and their memory."""
    size = f"batch {B}, K = {K}"
    forms = functions(B, K)
    few = min(rounds, 3) if K > 2000 else rounds
    quick_forms = {n: f for n, f in forms.items() if not n.startswith("textbook")}
    seconds = interleaved(quick_forms, rounds)
    slow = interleaved({n: f for n, f in forms.items() if n not in quick_forms}, few, warm_up=1)
    rows = [row(f"{n}, {size}", milliseconds(t), "ms") for n, t in (seconds | slow).items()]
    base = seconds["cross_entropy"]
    fixed = ratios(seconds["fixed Q"], base)
    rows.append(
        row(f"fixed Q / cross_entropy, {size}", fixed, "x", at_most=1.5 if B > 128 and K <= 1000 else None)
    )
    rows.append(row(f"learned Q / cross_entropy, {size}", ratios(seconds["learned Q"], base), "x"))
    for which in ("fixed Q", "learned Q"):
        gain = ratios(slow[f"textbook, {which}"], seconds[which][:few])
        target = 10.0 if K == 10_000 else None
        rows.append(row(f"textbook / ours, {which}, {size}", gain, "x", at_least=target))
    least = 3 * 4 * B * K / bytes_per_second  # read the logits and the rows of Q, write the gradient
    limit = [s / least for s in seconds["fixed Q"]]
    rows.append(
        row(f"fixed Q / moving the least bytes, {size}", limit, "x", note=f"{12e-6 * B * K:.2f} MB to move")
    )
    if memory:
        for name in forms:
            peak = in_fresh_process(
                "loss.py", "--memory", name, str(B), str(K), environment={"MALLOC_MMAP_THRESHOLD_": "65536"}
            )
            if peak is not None:
                rows.append(row(f"memory of {name}, {size}", [peak / 1e6], "MB"))
    return rows


def training_step(rounds: int) -> list[Row]:
    """The paper's network, batch 128: forward, backward and optimizer step with either loss."""
    torch.manual_seed(0)
    model = build_model("paper", num_classes=10, input_shape=(3, 32, 32)).to(
        memory_format=torch.channels_last
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9, nesterov=True)
    inputs = torch.randn(128, 3, 32, 32).to(memory_format=torch.channels_last)
    labels = torch.randint(10, (128,))
    noisy = NoisyLabelLoss(0.8 * torch.eye(10) + 0.02)

    def step(criterion: Callable[[Tensor, Tensor], Tensor]) -> None:
        optimizer.zero_grad()
        criterion(model(inputs), labels).backward()
        optimizer.step()

    seconds = interleaved({"plain": lambda: step(cross_entropy), "noisy": lambda: step(noisy)}, rounds)
    return [
        row("training step of the paper's network, cross_entropy", milliseconds(seconds["plain"]), "ms"),
        row("training step of the paper's network, noisy-label loss", milliseconds(seconds["noisy"]), "ms"),
        row(
            "noisy-label step / plain step",
            ratios(seconds["noisy"], seconds["plain"]),
            "x",
            at_most=1.02,
        ),
    ]


def main() -> None:
    """Parse the options and run."""
    parser = arguments(__doc__)
    parser.add_argument("--memory", nargs=3, metavar=("FORM", "B", "K"), help="print the peak of one form")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.memory:
        form, B, K = options.memory
        print(json.dumps(peak_bytes(functions(int(B), int(K))[form])))
        return
    speed = bandwidth()
    rows = [row("memory bandwidth, copying", [speed / 1e9], "GB/s")]
    for B, K, rounds in QUICK if options.quick else CASES:
        rows += of_case(B, K, rounds, speed, memory=not options.quick or QUICK[-1][1] == K)
    rows += training_step(3 if options.quick else 60)
    write("loss", "The loss, forward and backward", rows, quick=options.quick)


if __name__ == "__main__":
    main()
