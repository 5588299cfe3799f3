"""The curves of a run, and the moment Q joined."""

from noiselayer.report import draw_curves, stage_curves
from noiselayer.training import StageResult


def rows(*losses: float) -> list[dict[str, float]]:
    return [{"epoch": float(e), "train_loss": x, "val_loss": x + 0.5} for e, x in enumerate(losses)]


def test_lines_epochs_and_the_switch_are_those_of_the_stage() -> None:
    stage = StageResult("main", curves=rows(2.0, 1.0, 0.5), best_epoch=2, switched_at=1)
    ax = draw_curves(stage_curves([stage]), noise_floor=0.7).axes[0]
    drawn = {str(line.get_label()): [list(line.get_xdata()), list(line.get_ydata())] for line in ax.lines}
    assert drawn["training"] == [[1, 2, 3], [2.0, 1.0, 0.5]]
    assert drawn["validation, noisy labels"] == [[1, 2, 3], [2.5, 1.5, 1.0]]
    assert drawn["Q joins"][0] == [1, 1]
    assert drawn["kept"][0] == [3, 3]
    assert drawn["noise floor"][1] == [0.7, 0.7]


def test_a_stage_without_epochs_has_no_panel() -> None:
    stages = [StageResult("warm-up-0", curves=rows(1.0)), StageResult("main")]
    assert [panel.title for panel in stage_curves(stages)] == ["warm-up-0"]
    assert draw_curves([]).axes  # an empty frame, not a failure
