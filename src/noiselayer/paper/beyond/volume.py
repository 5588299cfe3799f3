"""Volume minimisation as its authors published it, for comparison: a plain training loop."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from noiselayer.data import LabeledData
from noiselayer.data.splits import split_validation
from noiselayer.joint.regularization import log_volume
from noiselayer.losses.bottom_up import noisy_label_loss
from noiselayer.models import build_model
from noiselayer.paper.experiment import Budget
from noiselayer.paper.trial import hardware_of, options_of
from noiselayer.storage.environment import evaluation_device
from noiselayer.training.trained import TrainedClassifier


class SigmoidMatrix(nn.Module):
    """Li et al.'s Q: ones on the diagonal, sigmoids off it, every column divided by its sum.

    Their weights start at -2 for tens of classes, at -4.5 for a hundred.
    """

    def __init__(self, num_classes: int, start: float = -2.0) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.full((num_classes, num_classes), start))

    def forward(self) -> Tensor:
        """Q, shape (K, K), columns = true classes."""
        identity = torch.eye(len(self.weights), device=self.weights.device)
        unscaled = identity + (1 - identity) * self.weights.sigmoid()
        return unscaled / unscaled.sum(dim=0)


def train_by_volume(
    noisy: LabeledData, *, budget: Budget, seed: int, volume_weight: float = 1e-4
) -> TrainedClassifier:
    """Train network and Q together from the first step, log |det Q| penalised; the best epoch held out is kept.

    Q's weights go with Adam at 0.01, as in the authors' code; all else is as for the other methods.
    """
    torch.manual_seed(seed)
    options, K, labels = options_of("normal", budget, seed), noisy.num_classes, noisy.labels
    assert labels is not None
    generator = torch.Generator().manual_seed(seed)
    chosen, held_out = split_validation(
        labels, options.validation_fraction, num_classes=K, generator=generator
    )
    inputs = noisy.inputs
    device = evaluation_device(hardware_of(budget))
    x = inputs.__getitems__(list(range(len(inputs)))).to(device)
    labels = labels.to(device)
    mean, std = (float(f(x.float())) for f in (torch.mean, torch.std))
    arguments: dict[str, Any] = {
        "name": budget.model,
        "num_classes": K,
        "input_shape": tuple(inputs.shape),
        "mean": mean,
        "std": std,
    }
    network = build_model(**arguments, **budget.model_options).to(device)
    network.to(memory_format=torch.channels_last)
    matrix = SigmoidMatrix(K).to(device)
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    o = options.optimization
    groups = [{"params": weights, "weight_decay": o.weight_decay}, {"params": others}]
    optimizer = torch.optim.SGD(groups, lr=o.learning_rate, momentum=0.9, nesterov=True)
    of_matrix = torch.optim.Adam(matrix.parameters(), lr=0.01)
    steps = len(chosen) // options.batch_size * options.max_epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        o.learning_rate,
        total_steps=max(steps, 2),
        pct_start=0.25,
        div_factor=10,
        cycle_momentum=False,
    )
    half = budget.precision.startswith("bf16")

    def loss_of(rows: Tensor, Q: Tensor) -> Tensor:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=half):
            logits = network(x[rows.to(device)])
        return noisy_label_loss(logits.float(), labels[rows.to(device)], Q)

    best, kept, Q_kept = float("inf"), {}, torch.eye(K)
    for _ in range(options.max_epochs):
        network.train()
        for rows in _batches(chosen[torch.randperm(len(chosen), generator=generator)], options.batch_size):
            if len(rows) < options.batch_size and len(chosen) >= options.batch_size:
                continue
            Q = matrix()
            loss = loss_of(rows, Q) + volume_weight * log_volume(Q)
            for each in (optimizer, of_matrix):
                each.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            of_matrix.step()
            if schedule.last_epoch + 1 < schedule.total_steps:
                schedule.step()
        network.eval()
        with torch.no_grad():
            Q = matrix()
            held = sum(float(loss_of(rows, Q)) * len(rows) for rows in _batches(held_out, 1024))
        if held < best:
            best, Q_kept = held, Q.clone()
            kept = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(kept)
    return TrainedClassifier(network.cpu().eval(), Q_kept.cpu(), noisy.class_names, options, arguments)


def _batches(rows: Tensor, size: int) -> list[Tensor]:
    batches: list[Tensor] = list(torch.split(rows, size))
    return batches
