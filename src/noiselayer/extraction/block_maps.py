"""What a convolutional network has on its way to its features: the mean maps of its last blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

Embed = Callable[[Sequence[Any], torch.device], Tensor]


def with_block_maps(embed: Embed, blocks: Sequence[nn.Module]) -> Embed:
    r"""Features and the means over space of blocks beside them, each layer of the same length.

    .. math:: f(x) = \sqrt{D} \, \Big[ \frac{f_0}{\|f_0\|},\; \frac{m_1}{\|m_1\|},\; \ldots \Big]

    with :math:`f_0`, of D numbers, what ``embed`` gives, and :math:`m_b` the mean map of block b. Without the lengths
    a layer would count as much as it is wide. The network computes these maps anyway. Blocks are taken from the last
    one backwards, as long as they have no more than D numbers together; the last itself is left out where it has D,
    because :math:`f_0` is mostly its mean. Evci et al. 2022 ("Head2Toe") choose features of all layers likewise.

    Args:
        embed: A batch of samples and a device to features, shape (n, D).
        blocks: Modules of the network that it runs, :func:`blocks_of`.

    >>> block = nn.Identity()
    >>> embed = with_block_maps(lambda x, device: block(x).amax(dim=(2, 3)).repeat(1, 3), [block])
    >>> f = embed(torch.ones(5, 3, 4, 4), torch.device("cpu"))
    >>> f.shape, f[0, :9].norm(), f[0, 9:].norm()
    (torch.Size([5, 12]), tensor(3.), tensor(3.))
    """

    def with_maps(samples: Sequence[Any], device: torch.device) -> Tensor:
        means: list[Tensor] = []

        def keep(block: nn.Module, given: Any, found: Any) -> None:
            if isinstance(found, Tensor) and found.ndim == 4:
                means.append(found.float().mean(dim=(2, 3)))

        hooks = [block.register_forward_hook(keep) for block in blocks]
        try:
            features = embed(samples, device)
        finally:
            for hook in hooks:
                hook.remove()
        width = features.shape[1]
        if means and means[-1].shape[1] == width:
            means.pop()
        widths = torch.tensor([m.shape[1] for m in means], dtype=torch.long)
        first = len(means) - int((widths.flip(0).cumsum(0) <= width).sum())
        layers = [normalize(each.float()) for each in (features, *means[first:])]
        beside: Tensor = torch.cat(layers, dim=1) * width**0.5
        return beside

    return with_maps


def blocks_of(network: nn.Module) -> list[nn.Module]:
    """Its blocks with a convolution, in the order in which it names them.

    A block is a member of a ``Sequential`` or ``ModuleList`` that has parts, is neither of these itself, and is in no
    other block: a residual block of a ResNet, an inverted bottleneck of an EfficientNet. Blocks without a convolution,
    those of transformers, are left out.

    >>> from torchvision.models import resnet18, vgg11
    >>> [type(block).__name__ for block in blocks_of(resnet18())[-2:]], blocks_of(vgg11())
    (['BasicBlock', 'BasicBlock'], [])
    """
    found: list[nn.Module] = []
    for child in network.children():
        lists = nn.Sequential, nn.ModuleList
        if not isinstance(network, lists) or isinstance(child, lists):
            found += blocks_of(child)
        elif any(isinstance(part, nn.Conv2d) for part in child.modules() if part is not child):
            found.append(child)
    return found
