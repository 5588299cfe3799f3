"""Large samples are gone through a few at a time."""

import torch

from noiselayer.data import ArrayInputs
from noiselayer.data.pieces import samples_at_a_time
from noiselayer.models import build_model
from noiselayer.training.input_statistics import input_statistics
from noiselayer.training.logits import predict_logits


class Counted(ArrayInputs):
    """Notes how many are asked for at once."""

    def __getitems__(self, indices):  # type: ignore[no-untyped-def]
        self.most = max(getattr(self, "most", 0), len(indices))
        return super().__getitems__(indices)


def test_a_sample_of_any_size_is_taken() -> None:
    assert samples_at_a_time((2**24,), 1024) == 1
    assert samples_at_a_time((), 1024) == 1024


def test_large_images_are_not_held_by_hundreds() -> None:
    images = torch.zeros(60, 3, 256, 256, dtype=torch.uint8)
    images[:, 1] = 4
    inputs = Counted(images)
    mean, std = input_statistics(inputs)
    assert mean == [0.0, 4.0, 0.0]
    assert std == [0.0, 0.0, 0.0]
    assert inputs.most == 42
    network = build_model("linear", num_classes=2, input_shape=(3, 256, 256), mean=mean, std=[1.0] * 3)
    inputs.most = 0
    few = predict_logits(network, inputs)
    assert inputs.most == 42
    torch.testing.assert_close(few, predict_logits(network, inputs, batch_size=60))
    assert inputs.most == 60
