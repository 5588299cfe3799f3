"""The paper's base network (§4.1), the "18 %" example of cuda-convnet, and its wide variant (§4.2).

What is taken from the two files ``layers-18pct.cfg`` and ``layer-params-18pct.cfg``, layer by layer:

=======  ===================================================================  =======================
layer    as in the original                                                   output at 32 x 32 pixels
=======  ===================================================================  =======================
conv1    32 filters of 5 x 5, padding 2, stride 1, biases shared              32 x 32 x 32
pool1    maximum of 3 x 3, stride 2, windows cover the image; ReLU after it   32 x 16 x 16
rnorm1   response normalisation over 3 x 3 pixels, 5e-5, power 0.75           32 x 16 x 16
conv2    32 filters of 5 x 5, padding 2; ReLU                                 32 x 16 x 16
pool2    average of 3 x 3, stride 2, over the pixels inside the image         32 x 8 x 8
rnorm2   as rnorm1                                                            32 x 8 x 8
conv3    64 filters of 5 x 5, padding 2; ReLU                                 64 x 8 x 8
pool3    as pool2                                                             64 x 4 x 4
fc10     linear, then softmax (here in the loss)                              10
=======  ===================================================================  =======================

- *Pooling.* cuda-convnet makes ceil((n - 3) / 2) + 1 windows, which is n // 2, and at the lower right border
  an average divides by the number of pixels inside. In torch that is ``ceil_mode=True`` without padding.
- *Response normalisation.* Both layers are ``rnorm``, over the pixels of one channel (``cmrnorm`` would be
  the one across channels), and cuda-convnet divides the scale by the window's nine pixels. Across channels is
  here as an option, and so is no normalisation.
- *Training.* Gradient descent with momentum 0.9 on batches of 128; rates 0.001 (weights) and 0.002 (biases),
  divided by 10 after 120 epochs and by 10 again after 130; weight decay 0.004 on the filters, 1 on fc10, none
  on biases. cuda-convnet multiplies the decay by the rate, so it is the coefficient of ``torch.optim.SGD``:
  :func:`paper_parameter_groups` gives just that.

What departs from it, by default:

- *Scale and initialisation.* The original subtracts the mean image from inputs of 0..255, and draws conv1
  from a normal distribution of deviation 1e-4, all others of 1e-2. Inputs here are standardised to about unit
  scale, so the filters are He-normal (fc keeps 1e-2). With ``init="cuda-convnet"`` and ``mean`` the mean
  image, ``std`` 1, the original's scale is back.
- *Response normalisation at that scale.* With activations near 1 the factor is about (1 + 5e-5)^-0.75: the
  identity, nearly, and in bfloat16 exactly. The original's inputs are some sixty times larger, and the energy
  goes with the square. The constant is kept; ``alpha`` changes it.
- The order of pool1 and its ReLU does not matter, both being increasing; pooling first is cheaper.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Literal

from torch import nn

from noiselayer.models.input_shapes import check_image_shape, check_num_classes
from noiselayer.models.response_norm import ResponseNorm


class PaperNet(nn.Sequential):
    """Three convolutions of 5 x 5, overlapping pooling, response normalisation, one linear layer.

    Args:
        num_classes: K, the outputs.
        input_shape: (channels, height, width), at least 8 x 8 pixels.
        widths: Filters of the three convolutions; the variant of §4.2 has (64, 128, 128).
        response_norm: Over ``"pixels"`` as in the original, across ``"channels"``, or None for none.
        alpha: Scale of the response normalisation.
        init: ``"he"`` for standardised inputs, ``"cuda-convnet"`` for inputs of 0..255 minus their mean.

    Raises:
        ValueError: If the images are too small or an option is unknown.

    >>> import torch
    >>> PaperNet(10, (3, 32, 32))(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        num_classes: int,
        input_shape: Sequence[int],
        *,
        widths: tuple[int, int, int] = (32, 32, 64),
        response_norm: Literal["pixels", "channels"] | None = "pixels",
        alpha: float = 5e-5,
        init: Literal["he", "cuda-convnet"] = "he",
    ) -> None:
        check_num_classes(num_classes)
        channels, height, width = check_image_shape("paper", input_shape)
        if init not in ("he", "cuda-convnet"):
            raise ValueError(f"init must be 'he' or 'cuda-convnet'; got {init!r}.")
        first, second, third = widths

        def norm(num_channels: int) -> nn.Module:
            if response_norm is None:
                return nn.Identity()
            return ResponseNorm(num_channels, 3, alpha=alpha, beta=0.75, over=response_norm)

        super().__init__(
            OrderedDict(
                conv1=nn.Conv2d(channels, first, 5, padding=2),
                pool1=nn.MaxPool2d(3, 2, ceil_mode=True),
                relu1=nn.ReLU(inplace=True),
                rnorm1=norm(first),
                conv2=nn.Conv2d(first, second, 5, padding=2),
                relu2=nn.ReLU(inplace=True),
                pool2=nn.AvgPool2d(3, 2, ceil_mode=True),
                rnorm2=norm(second),
                conv3=nn.Conv2d(second, third, 5, padding=2),
                relu3=nn.ReLU(inplace=True),
                pool3=nn.AvgPool2d(3, 2, ceil_mode=True),
                flatten=nn.Flatten(),
                fc=nn.Linear(third * (height // 8) * (width // 8), num_classes),
            )
        )
        for name, layer in self.named_children():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.01)
                nn.init.zeros_(layer.bias)
            elif isinstance(layer, nn.Conv2d):
                if init == "he":
                    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                else:
                    nn.init.normal_(layer.weight, std=1e-4 if name == "conv1" else 1e-2)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)


def paper_parameter_groups(
    model: nn.Module, *, lr: float = 0.001, weight_decay: float = 0.004, fc_weight_decay: float = 1.0
) -> list[dict[str, Any]]:
    """The original's rates and decays as optimizer groups: biases at twice the rate and without decay.

    The defaults belong to ``init="cuda-convnet"`` and inputs of 0..255; a decay of 1 on the last layer is not
    meant for standardised inputs.

    Args:
        model: A model with a :class:`PaperNet` in it, behind a normalisation or not.
        lr: Rate of the weights.
        weight_decay: Of the filters.
        fc_weight_decay: Of the linear layer.

    Raises:
        TypeError: If there is no :class:`PaperNet` in ``model``.

    >>> from torch.optim import SGD
    >>> optimizer = SGD(paper_parameter_groups(PaperNet(10, (3, 32, 32))), momentum=0.9)
    >>> [(len(g["params"]), g["lr"], g["weight_decay"]) for g in optimizer.param_groups]
    [(3, 0.001, 0.004), (1, 0.001, 1.0), (4, 0.002, 0.0)]
    """
    network = next((m for m in model.modules() if isinstance(m, PaperNet)), None)
    if network is None:
        raise TypeError(f"model must hold a PaperNet for its parameter groups; got {type(model).__name__}.")
    parameters = dict(network.named_parameters())
    filters = [p for name, p in parameters.items() if name.startswith("conv") and name.endswith("weight")]
    biases = [p for name, p in parameters.items() if name.endswith("bias")]
    return [
        {"params": filters, "lr": lr, "weight_decay": weight_decay},
        {"params": [parameters["fc.weight"]], "lr": lr, "weight_decay": fc_weight_decay},
        {"params": biases, "lr": 2 * lr, "weight_decay": 0.0},
    ]
