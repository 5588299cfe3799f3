"""What the experiments do to labels and images, against counts and known answers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from noiselayer.paper import Budget, Cell, load_experiment, reproduce
from noiselayer.paper.beyond.later import anchor_matrix
from noiselayer.paper.beyond.volume import SigmoidMatrix
from noiselayer.paper.data_folder import DataFolder
from noiselayer.paper.deliberate import deliberate_noise, right_and_wrong
from noiselayer.paper.extras import loose_extra
from noiselayer.paper.many_classes import KEYWORDS, many_classes
from noiselayer.paper.trial import METHODS, count_matrix, options_of
from noiselayer.training.options import with_weight_decay


def test_exactly_so_many_labels_are_wrong() -> None:
    images = DataFolder(None).images("digits")
    sample = right_and_wrong(images, right=700, wrong=300, seed=3)
    order = torch.randperm(len(images.train), generator=torch.Generator().manual_seed(3)).numpy()
    np.testing.assert_array_equal(np.concatenate([sample.rows, sample.rest]), order)
    truth = images.train.labels[order[:1000]]
    assert int((sample.labels.numpy() != truth).sum()) == 300
    torch.testing.assert_close(sample.noise_matrix.diagonal(), torch.full((10,), 0.7))
    counted = count_matrix(sample.labels, truth, 10)
    assert float((counted - sample.noise_matrix).abs().max()) < 0.12


def test_the_noise_of_70_percent_keeps_the_true_class_ahead_in_its_row() -> None:
    for seed in range(20):
        Q = deliberate_noise(0.7, 10, torch.Generator().manual_seed(seed))
        torch.testing.assert_close(Q.diagonal(), torch.full((10,), 0.3))
        assert bool((Q.argmax(dim=1) == torch.arange(10)).all())


def test_no_method_but_the_papers_recipe_leaves_the_defaults() -> None:
    budget = Budget()
    learned = options_of("learned", budget, 0)
    assert (learned.start, learned.fresh_network, learned.rule) == ("features", True, "one-standard-error")
    recipe = options_of("paper's recipe", budget, 0)
    assert (recipe.start, recipe.fresh_network) == ("identity", False)
    fresh = options_of("recipe, fresh network", budget, 0)
    assert (fresh.start, fresh.fresh_network) == ("joint", True)
    for options in (recipe, fresh):
        assert with_weight_decay(options).optimization.noise_weight_decay == 0.05
    assert with_weight_decay(learned).optimization.noise_weight_decay == 0.0
    assert set(METHODS["true"]) == {"method"}


def test_anchors_are_the_surest_samples_below_the_outliers() -> None:
    probs = torch.tensor([[1.0, 0.0], [0.8, 0.2], [0.3, 0.7], [0.1, 0.9]])
    torch.testing.assert_close(anchor_matrix(probs, quantile=0.99), torch.tensor([[0.8, 0.3], [0.2, 0.7]]))


def test_li_and_others_start_has_columns_that_sum_to_one() -> None:
    Q = SigmoidMatrix(10)()
    torch.testing.assert_close(Q.sum(dim=0), torch.ones(10))
    torch.testing.assert_close(Q.diagonal(), torch.full((10,), 1 / (1 + 9 / (1 + np.exp(2)))).float())


def test_loose_digits_are_not_among_the_clean_ones() -> None:
    images = DataFolder(None).images("digits")
    clean = np.arange(0, 1347, 2)
    extra = loose_extra(DataFolder(None), images, size=400, seed=0, apart_from=clean)
    assert int((extra.true_labels >= 0).sum()) == 200
    known = {image.tobytes() for image in images.train.images[clean]}
    assert not any(image.tobytes() in known for image in extra.images[extra.true_labels >= 0])


def test_the_weak_model_chooses_among_ten_keywords() -> None:
    assert KEYWORDS == 10
    sets = many_classes(DataFolder(None), "digits", seed=0, budget=Budget(epochs=3))
    right = sets.noisy.labels.numpy() == sets.noisy_truth
    assert 0.15 < right.mean() < 1  # better than one in ten, and not perfect
    assert [len(part) for part in (sets.clean, sets.noisy, sets.test)] == [300, 600, 400]


@pytest.fixture
def imagenet(tmp_path: Path) -> Path:
    """Class folders of generated photographs; one of the web's is a copy of a training image."""
    rng = np.random.default_rng(0)
    for part, count in (("imagenet/train", 12), ("imagenet/val", 4), ("web-search", 10)):
        for k, name in enumerate(("n01", "n02", "n03")):
            folder = tmp_path / part / name
            folder.mkdir(parents=True)
            for n in range(count):
                noise = rng.integers(0, 120, (72, 64, 3))
                Image.fromarray((noise + np.array([60 * k, 40, 130 - 60 * k])).astype(np.uint8)).save(
                    folder / f"{n}.png"
                )
    copy = tmp_path / "web-search" / "n02" / "copy.jpg"
    Image.open(tmp_path / "imagenet" / "train" / "n02" / "3.png").resize((128, 144)).save(copy, quality=85)
    return tmp_path


@pytest.mark.slow
def test_imagenet_and_web_search_from_folders_to_a_row(imagenet: Path, tmp_path: Path) -> None:
    sets = many_classes(DataFolder(imagenet), "imagenet", seed=0, budget=Budget())
    assert [len(part) for part in (sets.clean, sets.noisy, sets.test)] == [36, 30, 12]  # the copy is gone
    assert sets.noisy_truth is None
    cell = Cell({"dataset": "imagenet", "noisy": "web", "weight": 0.1}, "normal", 0)
    (row,) = reproduce(
        "table3",
        tmp_path / "out",
        data=imagenet,
        scale="paper",
        cells=[cell.name],
        epochs=1,
        accelerator="cpu",
    )
    assert row["dataset"] == "ImageNet"
    assert row["budget"]["model"] == "torchvision:alexnet"
    assert row["test_error"] == 0.0  # three classes, and the true one is always among five
    assert row["noise_matrix_error"] is None


def test_the_paper_scale_has_the_papers_sizes() -> None:
    assert {c.settings["size"] for c in load_experiment("table1").cells("paper", [0])} == {30_000}
    table2 = load_experiment("table2")
    assert {(c.settings["clean"], c.settings["extra-size"]) for c in table2.cells("paper", [0])} == {
        (50_000, 0),
        (50_000, 90_000),
    }
    assert table2.budgets["paper"].model == "paper-wide"
    assert table2.budgets["paper"].epochs == 120


def test_svhn_is_contrast_normalised_and_the_extra_images_are_trained_on(tmp_path: Path) -> None:
    savemat = pytest.importorskip("scipy.io").savemat

    rng = np.random.default_rng(0)
    dark, bright = rng.integers(0, 60, (32, 32, 3, 4)), rng.integers(190, 250, (32, 32, 3, 4))
    for name in ("train", "extra", "test"):
        pictures = np.concatenate([dark, bright], axis=3).astype(np.uint8)
        labels = np.array([1, 2, 3, 4, 5, 6, 7, 10])[:, None]
        savemat(tmp_path / f"{name}_32x32.mat", {"X": pictures, "y": labels})
    unchecked = pytest.MonkeyPatch()
    from torchvision.datasets import SVHN

    unchecked.setattr(SVHN, "_check_integrity", lambda self: True)
    svhn = DataFolder(tmp_path).images("svhn")
    unchecked.undo()
    assert (svhn.name, len(svhn.train), len(svhn.test)) == ("SVHN", 16, 8)
    means = svhn.test.images.reshape(8, -1).mean(axis=1)  # dark and bright photographs look alike now
    assert np.abs(means - 128).max() < 4
