"""Raw inputs: bytes and floats alike, every shape of statistics, the layout, statistics that cannot be."""

import io

import pytest
import torch
from torch import nn

from noiselayer.models import Standardize, build_model, with_normalization


def bytes_of(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
def test_bytes_and_the_same_numbers_in_another_type_are_equal(dtype: torch.dtype) -> None:
    x = bytes_of(4, 3, 8, 8)
    normalize = Standardize([125.3, 123.0, 113.9], [63.0, 62.1, 66.7])
    assert torch.equal(normalize(x), normalize(x.to(dtype)))
    assert normalize(x.to(dtype)).dtype == torch.float32


def test_training_inputs_come_out_with_mean_0_and_deviation_1() -> None:
    x = bytes_of(50, 3, 8, 8)
    dims = (0, 2, 3)
    y = Standardize(x.float().mean(dims), x.float().std(dims, correction=0))(x)
    torch.testing.assert_close(y.mean(dims), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(y.std(dims, correction=0), torch.ones(3))


def test_a_number_a_vector_and_a_mean_image() -> None:
    x = torch.arange(12.0).reshape(1, 3, 2, 2)
    assert Standardize(1.0, 2.0)(x)[0, 2, 1, 1] == (11 - 1) / 2
    assert Standardize([0.0, 0.0, 1.0], [1.0, 1.0, 5.0])(x)[0, 2, 1, 1] == (11 - 1) / 5
    assert not Standardize(x[0], 1.0)(x).any()
    vectors = torch.tensor([[3.0, 10.0], [5.0, 30.0]])
    assert Standardize([4.0, 20.0], [1.0, 10.0])(vectors).tolist() == [[-1, -1], [1, 1]]


def test_a_vector_runs_along_channels_even_where_the_width_would_fit_too() -> None:
    y = Standardize([0.0, 0.0, 1.0], 1.0)(torch.zeros(3, 3, 3, 3))
    assert torch.equal(y[:, 2], -torch.ones(3, 3, 3))
    assert not y[:, :2].any()


def test_images_leave_channels_last_and_inputs_stay_as_they_were() -> None:
    x = torch.rand(2, 3, 8, 8)
    before = x.clone()
    y = Standardize(0.5, 0.5)(x)
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(x, before)
    y = Standardize(0.5, 0.5, memory_format=torch.contiguous_format)(x)
    assert y.is_contiguous()


def test_a_constant_feature_is_only_centred() -> None:
    normalize = Standardize([5.0, 0.0], [0.0, 2.0])
    assert normalize(torch.tensor([[5.0, 4.0], [6.0, 4.0]])).tolist() == [[0, 2], [1, 2]]


def test_a_saved_model_brings_its_normalisation() -> None:
    def new() -> nn.Module:
        return build_model(
            "small", num_classes=4, input_shape=(3, 8, 8), mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0]
        )

    model, other = new().eval(), with_normalization(new()[1], [0.0] * 3, [1.0] * 3).eval()
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    x = bytes_of(2, 3, 8, 8)
    assert torch.equal(other(x), model(x))


def test_float64_model_takes_bytes() -> None:
    model = build_model("paper", num_classes=3, input_shape=(1, 8, 8), mean=0.0, std=255.0).double()
    assert model(bytes_of(2, 1, 8, 8)).dtype == torch.float64


def test_gradients_reach_float_inputs() -> None:
    x = torch.zeros(2, 3, requires_grad=True)
    Standardize(0.0, [1.0, 2.0, 4.0])(x).sum().backward()
    assert x.grad is not None
    assert x.grad[0].tolist() == [1, 0.5, 0.25]


def test_errors_say_what_to_do() -> None:
    with pytest.raises(
        ValueError, match=r"mean must be finite; it is not at index \[1\]\. Does the training data"
    ):
        Standardize([0.0, float("nan")], 1.0)
    with pytest.raises(ValueError, match=r"std must not be negative; its smallest value is -2\."):
        Standardize(0.0, [1.0, -2.0])
    with pytest.raises(ValueError, match=r"mean and std come together; std is missing\."):
        build_model("mlp", num_classes=3, input_shape=(4,), mean=0.0)
    # Three means would broadcast one channel to three, and nobody would notice before the first layer.
    with pytest.raises(
        ValueError, match=r"mean must be one number, .* \(1,\), .* \(1, 8, 8\); got shape \(3,\)\."
    ):
        build_model("small", num_classes=3, input_shape=(1, 8, 8), mean=[0.0] * 3, std=1.0)
