"""Arrays of images: few become features of patches by themselves, and a network is trained where one is asked for."""

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.naive_bayes import GaussianNB

from noiselayer import NoisyLabelClassifier, NoisyLabelFeaturesClassifier, NoisyLabelMetaClassifier
from noiselayer.errors import InputError
from noiselayer.estimators import feature_inputs

Y = np.arange(120) % 2


def stripes(channels: int = 3, side: int = 10) -> Any:
    """Lying and standing ones, under noise."""
    generator = np.random.default_rng(0)
    lying = np.arange(side) // 2 % 2 * np.ones((side, 1))
    both = np.stack([lying, lying.T])[Y] * 100
    noise = generator.integers(100, size=(len(Y), side, side, channels))
    return (both[..., None] + noise).astype(np.uint8)


def wrong(y: Any) -> Any:
    return np.where(np.random.default_rng(1).random(len(y)) < 0.3 * y, 1 - y, y)  # 1s are often 0


def classifiers() -> dict[str, Any]:
    return {
        "features": NoisyLabelFeaturesClassifier(embed="patches", random_state=0),
        "network": NoisyLabelClassifier(random_state=0),
    }


@pytest.mark.parametrize("name", classifiers())
def test_images_of_every_form_are_told_apart_in_spite_of_wrong_labels(name: str) -> None:
    x = stripes()
    model = classifiers()[name].fit(x, wrong(Y))
    assert model.source_.name == "patches"
    assert model.score(x, Y) > 0.85
    same = pickle.loads(pickle.dumps(model))
    for form in (x.transpose(0, 3, 1, 2), torch.from_numpy(x), x.astype(int), x.astype(float)):
        np.testing.assert_allclose(same.predict_proba(form), model.predict_proba(x), atol=1e-5)
    grey = classifiers()[name].fit(x[..., 0], wrong(Y))
    assert grey.score(x[..., 0], Y) > 0.8


@pytest.mark.parametrize("name", classifiers())
def test_a_list_of_images_is_their_array(name: str) -> None:
    x = stripes(1, 8)[..., 0]
    model = classifiers()[name].fit(list(x), wrong(Y))
    assert model.source_.name == "patches"
    expected = classifiers()[name].fit(x, wrong(Y)).predict_proba(x)
    for form in (list(x), list(torch.from_numpy(x))):
        np.testing.assert_array_equal(model.predict_proba(form), expected)


def test_images_that_cannot_be_are_said() -> None:
    with pytest.raises(InputError, match=r"one shape; got \(8, 8\), \(9, 8\). Resize them"):
        NoisyLabelClassifier().fit([np.zeros((8, 8)), np.zeros((9, 8))], [0, 1])
    with pytest.raises(InputError, match=r"pixels of at most 1e\+12; got 1e\+18. Divide them"):
        NoisyLabelClassifier().fit(np.full((4, 8, 8), -1e18), [0, 1, 0, 1])


def test_tables_as_tensors_of_every_kind() -> None:
    x = torch.randn(60, 3, generator=torch.Generator().manual_seed(0)) + 4 * torch.from_numpy(Y[:60, None])
    for model in (
        NoisyLabelFeaturesClassifier("normal", random_state=0),
        NoisyLabelMetaClassifier(GaussianNB(), noise_matrix=np.eye(2)),
    ):
        for form in (x.bfloat16(), x.clone().requires_grad_()):
            assert model.fit(form, Y[:60]).score(form, Y[:60]) > 0.9


def test_brightness_alone_tells_classes_apart() -> None:
    x = (np.random.default_rng(0).integers(0, 128, (len(Y), 8, 8)) + 60 * Y[:, None, None]).astype(np.uint8)
    assert NoisyLabelClassifier(random_state=0).fit(x, Y).score(x, Y) > 0.85


def test_trusted_samples_those_of_no_class_and_the_audit_go_with_patches() -> None:
    x = stripes(1)[..., 0]
    model = NoisyLabelClassifier(random_state=0)
    model.fit(
        x[40:],
        wrong(Y)[40:],
        X_clean=x[:40],
        y_clean=Y[:40],
        X_outside=200 * np.random.default_rng(2).random((9, 10, 10)),
    )
    assert model.source_.name == "patches"
    by_two = NoisyLabelClassifier(random_state=0).fit(x, wrong(Y), annotators=["ann", "bob"] * 60)
    assert by_two.source_.name == "patches"
    assert by_two.annotator_matrices_.shape == (2, 2, 2)
    audit = NoisyLabelClassifier(random_state=0).audit(x, wrong(Y))
    found = audit.error_probability[torch.from_numpy(wrong(Y) != Y)].mean()
    assert found > 2 * audit.error_probability[torch.from_numpy(wrong(Y) == Y)].mean()


@pytest.mark.parametrize(
    "asked",
    [
        {"model": "small"},
        {"max_iter": 2},
        {"method": "refined"},
        {"options": {"optimizer": "sgd"}},
        {"options": {"start": "identity"}},
    ],
)
def test_what_only_a_network_has_gets_a_network(asked: dict[str, Any]) -> None:
    model = NoisyLabelClassifier(**asked)
    assert feature_inputs.usual_embed(model, stripes()) is None
    assert feature_inputs.usual_embed(NoisyLabelClassifier(), stripes()) == "patches"


def test_so_do_many_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_inputs, "FEW_IMAGES", 120)
    assert feature_inputs.usual_embed(NoisyLabelClassifier(), stripes()) is None


@pytest.mark.parametrize("shape", [(2, 2), (1, 30), (40, 1)])
def test_images_too_small_for_patches_train_a_network(shape: tuple[int, int]) -> None:
    x = np.random.default_rng(0).random((120, *shape)) + Y[:, None, None]
    model = NoisyLabelClassifier(
        "learned", model="linear", options={"warm_up_epochs": 2}, max_iter=2, random_state=0
    )
    assert model.fit(x, wrong(Y)).source_ is None
    assert {"warm-up-0", "warm-up-1"} <= {row["stage"] for row in model.history_}


def test_what_does_not_suit_is_said() -> None:
    model = NoisyLabelFeaturesClassifier("normal", embed="patches").fit(stripes(), Y)
    with pytest.raises(InputError, match=r"X must hold images, as in fit; got numbers of shape \(4, 300\)"):
        model.predict(np.zeros((4, 300)))
    with pytest.raises(InputError, match="3 channels, as in fit; got 1"):
        model.predict(np.zeros((4, 10, 10)))
    with pytest.raises(InputError, match=r"X must hold images; got numbers of shape \(120, 5\)"):
        NoisyLabelFeaturesClassifier(embed="patches").fit(np.zeros((120, 5)), Y)


@pytest.mark.parametrize("options", [{}, {"max_iter": 1}], ids=["patches", "network"])
def test_pixels_of_other_units_than_in_fit_are_refused(options: dict[str, Any]) -> None:
    X = (255 * np.random.default_rng(0).random((40, 8, 8))).astype(np.uint8)
    model = NoisyLabelClassifier("normal", random_state=0, **options).fit(X, np.arange(40) % 2)
    assert (model.predict(X.astype(np.float32)) == model.predict(X)).all()
    assert len(model.predict(np.zeros((1, 8, 8)))) == 1  # a black image
    with pytest.raises(InputError, match=r"largest pixel was 25\d; got .* at most. Multiply by 255"):
        model.predict(X / 255)


def test_tensors_of_a_type_that_numpy_lacks_are_images() -> None:
    X = torch.rand(40, 8, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    model = NoisyLabelClassifier("normal", random_state=0).fit(X.bfloat16(), np.arange(40) % 2)
    assert (model.predict(X.bfloat16().float()) == model.predict(X.bfloat16())).all()
