"""The curves of a run, and the moment the noise matrix joined."""

import matplotlib as mpl
import pytest

from noiselayer.report.content import StageLosses
from noiselayer.report.loss_drawing import draw_losses
from noiselayer.report.stages import losses_of
from noiselayer.training.trained import StageResult


def rows(*losses: float) -> list[dict[str, float]]:
    return [{"epoch": float(e), "train_loss": x, "val_loss": x + 0.5} for e, x in enumerate(losses)]


def lines_of(stages: list[StageLosses], noise_floor: float | None = None) -> list[tuple[str, list, list]]:
    ax = draw_losses(stages, noise_floor).axes[0]
    return [(str(one.get_label()), list(one.get_xdata()), list(one.get_ydata())) for one in ax.lines]


def test_lines_epochs_and_the_switch_are_those_of_the_stage() -> None:
    stage = StageResult("main", curves=rows(2.0, 1.0, 0.5), best_epoch=2, switched_at=1)
    drawn = {name: [x, y] for name, x, y in lines_of([losses_of(stage)], 0.7)}
    assert drawn["training"] == [[1, 2, 3], [2.0, 1.0, 0.5]]
    assert drawn["validation, held-out labels"] == [[1, 2, 3], [2.5, 1.5, 1.0]]
    assert drawn["noise matrix joins"][0] == [1.5, 1.5]  # after the first epoch, before the second
    assert drawn["weights kept"] == [[3], [1.0]]
    assert drawn["noise floor"] == [[0.5, 3.5], [0.7, 0.7]]


def test_stages_follow_each_other_and_losses_nobody_knows_are_left_out() -> None:
    stages = [
        StageLosses("one", (3.0, None, 1.0), (2.0, float("nan"), 1.5), joined=2, best=2),
        StageLosses("none", (), ()),
        StageLosses("two", (0.5,), (0.75,), best=0),
    ]
    drawn = lines_of(stages, 0.25)
    curves = [(x, y) for name, x, y in drawn if name in ("training", "validation, held-out labels")]
    assert curves == [([1, 3], [3.0, 1.0]), ([1, 3], [2.0, 1.5]), ([4], [0.5]), ([4], [0.75])]
    assert [x for name, x, _ in drawn if name.startswith("_")] == [[3.5, 3.5]]  # where the second one begins
    assert [x for name, x, _ in drawn if name == "noise matrix joins"] == [[2.5, 2.5]]
    assert [x for name, x, _ in drawn if name == "noise floor"] == [[3.5, 4.5]]
    assert [x for name, x, _ in drawn if name == "weights kept"] == [[3], [4]]
    figure = draw_losses(stages, 0.25)
    assert [text.get_text() for text in figure.axes[0].texts] == ["1", "2"]
    assert figure.axes[0].xaxis.get_ticklabels()[-1].get_text() == "1"  # epochs of a stage are its own
    assert "epoch of stage 1 (one), 2 (two)" in [text.get_text() for text in figure.texts]


@pytest.mark.parametrize("width", [340, 720])
def test_nothing_is_cut_off(width: int) -> None:
    stages = [StageLosses(f"a stage with a long name {k}", (1.0,) * 9, (1.5,) * 9, 3, 2) for k in range(4)]
    figure = draw_losses(stages, 0.5, width=width)
    figure.draw_without_rendering()
    (legend,) = figure.legends
    boxes = [legend.get_window_extent(), *(text.get_window_extent() for text in figure.texts)]
    for box in boxes:
        assert figure.bbox.padded(2).containsx(box.x0)
        assert figure.bbox.padded(2).containsx(box.x1)
    assert not any(mpl.transforms.Bbox.intersection(boxes[0], box) for box in boxes[1:])


def test_no_stages_give_an_empty_frame_not_a_failure() -> None:
    assert draw_losses([]).axes
