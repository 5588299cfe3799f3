"""Ask a trained network, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from noiselayer.data.inputs import Inputs
from noiselayer.data.pieces import samples_at_a_time


def predict_logits(
    network: nn.Module,
    inputs: Inputs,
    *,
    batch_size: int | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """Logits of the true class, shape (N, K), on the CPU.

    Args:
        network: Raw inputs to logits.
        inputs: N samples.
        batch_size: Samples at a time; up to 512, fewer of large ones, if None.
        device: Where to compute; where the network is if None.

    >>> from noiselayer.data import ArrayInputs
    >>> predict_logits(nn.Linear(2, 3), ArrayInputs(torch.zeros(5, 2))).shape
    torch.Size([5, 3])
    """
    return torch.cat([logits.cpu() for _, logits in _batches(network, inputs, batch_size, device, hook=None)])


def features_and_logits(network: nn.Module, inputs: Inputs) -> tuple[Tensor, Tensor]:
    """What enters the network's last linear layer, shape (N, D), and its logits, shape (N, K), on the CPU.

    A network without a linear layer gives its logits as features.

    >>> from noiselayer.data import ArrayInputs
    >>> network = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 3))
    >>> features, logits = features_and_logits(network, ArrayInputs(torch.zeros(5, 2)))
    >>> features.shape, logits.shape
    (torch.Size([5, 4]), torch.Size([5, 3]))
    """
    linear = [m for m in network.modules() if isinstance(m, nn.Linear)]
    pairs = list(_batches(network, inputs, None, None, hook=linear[-1] if linear else None))
    return torch.cat([f.cpu() for f, _ in pairs]), torch.cat([z.cpu() for _, z in pairs])


@torch.no_grad()
def _batches(
    network: nn.Module,
    inputs: Inputs,
    batch_size: int | None,
    device: torch.device | str | None,
    hook: nn.Module | None,
) -> Iterator[tuple[Tensor, Tensor]]:
    parameter = next(network.parameters(), None)
    where = device or (parameter.device if parameter is not None else "cpu")
    network.to(where)
    size = batch_size or samples_at_a_time(inputs.shape, 512)
    seen: list[Tensor] = []
    handle = hook.register_forward_pre_hook(lambda module, args: seen.append(args[0])) if hook else None
    was_training = network.training
    network.eval()
    try:
        for start in range(0, len(inputs), size):
            seen.clear()
            indices = range(start, min(start + size, len(inputs)))
            logits = network(inputs.__getitems__(indices).to(where)).float()
            yield (seen[-1].flatten(1).float() if seen else logits), logits
    finally:
        network.train(was_training)
        if handle is not None:
            handle.remove()
