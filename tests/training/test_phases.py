"""The phases of §3.4 on a LightningModule that knows nothing of them."""

import io
import re
from itertools import pairwise

import pytest
import pytorch_lightning as pl
import torch
from hypothesis import given
from hypothesis import strategies as st
from ordinary import Ordinary, train
from torch import nn

from noiselayer import NoiseLayer, SparseNoiseMatrix
from noiselayer.training.phases import KeepBest, NoisePhases, Patience, find_noise_layer

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings(r"ignore:.*`isinstance\(treespec, LeafSpec\)` is deprecated.*"),
]

NEVER = [1.0 - 0.01 * epoch for epoch in range(20)]  # always improves


@given(
    losses=st.lists(st.integers(0, 6).map(float), max_size=12),
    epochs=st.integers(1, 4) | st.none(),
    min_delta=st.sampled_from([0.0, 1.0]),
)
def test_patience_against_its_definition(losses: list[float], epochs: int | None, min_delta: float) -> None:
    patience = Patience(epochs, min_delta)
    answers = [patience.exhausted_by(loss) for loss in losses]
    best, since = float("inf"), 0
    for n, loss in enumerate(losses):
        if loss < best - min_delta:
            best, since = loss, n + 1
        assert answers[n] == (epochs is not None and n + 1 - since >= epochs)


def test_patience_counts_nan_as_no_improvement() -> None:
    patience = Patience(2)
    assert [patience.exhausted_by(loss) for loss in (1.0, float("nan"), float("nan"))] == [False, False, True]


def test_patience_of_no_epoch_is_refused() -> None:
    with pytest.raises(ValueError, match="patience must be at least 1 epoch, or None for no limit; got 0"):
        NoisePhases(patience=0)


def test_q_stays_the_identity_until_validation_stalls() -> None:
    # Phase 1: stalls after 2 epochs without improvement. Phase 2 begins with a worse loss, and stalls in turn.
    module = Ordinary([1.0, 0.9, 0.95, 0.91, 5.0, 4.0, 4.5, 4.2, 0.1])
    phases = NoisePhases(patience=2)
    trainer = train(module, [phases])
    assert phases.switched_at == 4
    assert phases.phase == 2
    assert module.frozen == [True] * 4 + [False] * 4
    for Q in module.matrices[:4]:
        assert torch.equal(Q, torch.eye(3))
    for before, after in pairwise(module.matrices[3:]):
        assert not torch.equal(before, after)
        torch.testing.assert_close(after.sum(dim=0), torch.ones(3))
        assert float(after.min()) >= 0
    for before, after in pairwise(module.weights):  # the network learns in both phases
        assert not torch.equal(before, after)
    assert trainer.current_epoch == 8  # stopped: there were 20


def test_phase_epochs_bound_the_first_phase() -> None:
    module = Ordinary(NEVER)
    phases = NoisePhases(patience=None, phase_epochs=3)
    train(module, [phases], max_epochs=5)
    assert phases.switched_at == 3
    assert module.frozen == [True] * 3 + [False] * 2


def test_a_sparse_matrix_joins_too() -> None:
    layer = NoiseLayer(3, SparseNoiseMatrix.identity(3, 1))
    module = Ordinary(NEVER, layer)
    phases = NoisePhases(patience=None, phase_epochs=2)
    seen = []

    class Watch(pl.Callback):
        def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            assert layer.sparse is not None
            seen.append(layer.sparse.to_dense().detach().clone())

    train(module, [phases, Watch()], max_epochs=4)
    assert torch.equal(seen[1], torch.eye(3))
    assert not torch.equal(seen[3], torch.eye(3))
    torch.testing.assert_close(seen[3].sum(dim=0), torch.ones(3))


def test_a_start_of_another_shape_is_refused() -> None:
    phases = NoisePhases(patience=None, phase_epochs=1, start=lambda module: torch.eye(2))
    with pytest.raises(RuntimeError, match=r"start must return .* of shape \(3, 3\); got \(2, 2\)"):
        train(Ordinary(NEVER), [phases], max_epochs=2)


def test_without_a_stall_nothing_switches_or_stops() -> None:
    module = Ordinary(NEVER)
    phases = NoisePhases(patience=1)
    trainer = train(module, [phases], max_epochs=4)
    assert (phases.phase, phases.switched_at, trainer.current_epoch) == (1, None, 4)
    assert module.frozen == [True] * 4


def test_min_delta_says_what_an_improvement_is() -> None:
    phases = NoisePhases(patience=1, min_delta=0.1)
    train(Ordinary([1.0, 0.95, 0.9, 0.85]), [phases], max_epochs=4)
    assert phases.switched_at == 2


def test_the_second_phase_starts_where_it_is_told() -> None:
    start = torch.tensor([[0.8, 0.0, 0.3], [0.2, 0.9, 0.3], [0.0, 0.3, 0.6]])  # column 1 and 2 sum to 1.2
    module = Ordinary(NEVER)
    asked: list[pl.LightningModule] = []

    def find_start(of: pl.LightningModule) -> torch.Tensor:
        asked.append(of)
        return start

    module.noise_layer().parameter_group = lambda **options: {  # type: ignore[method-assign]
        "params": [module.noise_layer().noise_matrix],
        "lr": 0.0,
    }
    train(module, [NoisePhases(patience=None, phase_epochs=1, start=find_start)], max_epochs=2)
    assert asked == [module]
    # Column 0 as given; the nearest points of the simplex to the others, by hand: 0.2 less, shared by what is left.
    expected = torch.tensor([[0.8, 0.0, 0.3 - 0.2 / 3], [0.2, 0.8, 0.3 - 0.2 / 3], [0.0, 0.2, 0.6 - 0.2 / 3]])
    torch.testing.assert_close(module.matrices[-1], expected)


def test_a_schedule_is_restarted_at_the_switch() -> None:
    class Scheduled(Ordinary):
        restarted: tuple[tuple[int, ...], ...] = ()

        def restart_schedule(self, *steps: int) -> None:
            self.restarted += (steps,)

    module = Scheduled(NEVER)
    train(module, [NoisePhases(patience=None, phase_epochs=2)], max_epochs=4)
    assert module.restarted == ((0, 4), (4,))  # two epochs of two steps, then to the end


def test_an_optimizer_without_the_matrix_is_refused() -> None:
    class Forgetful(Ordinary):
        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.network.parameters(), lr=0.1)

    with pytest.raises(
        RuntimeError,
        match=re.escape("Add noise_layer.parameter_group(lr=...) to the groups in configure_optimizers."),
    ):
        train(Forgetful(NEVER), [NoisePhases()])


def test_no_layer_or_two_are_refused() -> None:
    with pytest.raises(RuntimeError, match="exactly one NoiseLayer; it has 0. Make it an attribute"):
        find_noise_layer(nn.Linear(2, 2))
    both = nn.ModuleList([NoiseLayer(3), NoiseLayer(3)])
    with pytest.raises(RuntimeError, match="exactly one NoiseLayer; it has 2"):
        train(Ordinary(NEVER, both), [NoisePhases()])


@pytest.mark.parametrize("callback", [NoisePhases(monitor="loss"), KeepBest(monitor="loss")])
def test_a_loss_that_is_not_logged_is_named(callback: pl.Callback) -> None:
    message = r"validation logged no 'loss'; it logged \['val_loss'\]. Call self.log\('loss', ...\) in validation_step"
    with pytest.raises(RuntimeError, match=message):
        train(Ordinary(NEVER), [callback])


def test_best_weights_are_restored() -> None:
    module = Ordinary([1.0, 0.8, 0.9, 0.85])
    best = KeepBest()
    train(module, [best], max_epochs=4)
    assert (best.best_epoch, best.best_loss) == (1, pytest.approx(0.8))
    assert torch.equal(module.network.weight, module.weights[1])
    assert torch.equal(module.noise_layer().noise_matrix, module.matrices[1])
    assert not torch.equal(module.weights[3], module.weights[1])


def test_patience_of_the_best_stops_training() -> None:
    module = Ordinary([1.0, 0.8, 0.9, 0.85, 0.1])
    assert train(module, [KeepBest(patience=2)]).current_epoch == 4
    assert torch.equal(module.network.weight, module.weights[1])


@pytest.mark.parametrize("phases_first", [True, False])
def test_best_weights_of_the_second_phase_once_it_has_begun(phases_first: bool) -> None:
    # The first phase reaches 0.5, through another Q; in the second the best is 2.0, at the third epoch of five.
    module = Ordinary([0.6, 0.5, 3.0, 2.0, 2.5])
    phases = NoisePhases(patience=None, phase_epochs=2)
    best = KeepBest(phases=phases)
    train(module, [phases, best] if phases_first else [best, phases], max_epochs=5)
    assert (best.best_epoch, best.best_loss) == (3, pytest.approx(2.0))
    assert torch.equal(module.network.weight, module.weights[3])
    assert torch.equal(module.noise_layer().noise_matrix, module.matrices[3])


def test_best_weights_of_the_first_phase_if_the_second_never_begins() -> None:
    module = Ordinary([0.6, 0.5, 0.7])
    phases = NoisePhases(patience=None, phase_epochs=3)
    best = KeepBest(phases=phases)
    train(module, [phases, best], max_epochs=3)
    assert phases.switched_at == 3  # after the last epoch
    assert best.best_epoch == 1
    assert torch.equal(module.network.weight, module.weights[1])


def test_patience_of_the_best_begins_anew_with_the_second_phase() -> None:
    # In the second phase losses fall, but stay above those of the first: that is no reason to stop.
    module = Ordinary([0.6, 0.5, 3.0, 2.5, 2.0, 1.5])
    phases = NoisePhases(patience=None, phase_epochs=2)
    trainer = train(module, [phases, KeepBest(patience=2, phases=phases)], max_epochs=6)
    assert trainer.current_epoch == 6


def test_state_goes_through_a_file() -> None:
    losses = [1.0, 0.9, 0.95, 5.0, 4.0, 4.5, 4.6]
    phases = NoisePhases(patience=1)
    best = KeepBest(patience=4, phases=phases)
    train(Ordinary(losses), [phases, best], max_epochs=5)
    assert phases.phase == 2
    file = io.BytesIO()
    torch.save({"phases": phases.state_dict(), "best": best.state_dict()}, file)
    file.seek(0)
    stored = torch.load(file, weights_only=True)
    again = NoisePhases(patience=1)
    again.load_state_dict(stored["phases"])
    best_again = KeepBest(patience=4, phases=again)
    best_again.load_state_dict(stored["best"])
    assert again.state_dict() == phases.state_dict()
    assert (again.phase, again.switched_at) == (2, 3)
    mine, theirs = best_again.state_dict(), best.state_dict()
    for name, weight in theirs.pop("best_weights").items():
        assert torch.equal(mine["best_weights"][name], weight)
    mine.pop("best_weights")
    assert mine == theirs
    # It goes on in the second phase, where Q learns from the first step, and with the best loss so far, 4.0.
    module = Ordinary([3.9, 4.0, 2.0])
    train(module, [again, best_again])
    assert module.frozen == [False, False]
    assert (best_again.best_epoch, best_again.best_loss) == (0, pytest.approx(3.9))
