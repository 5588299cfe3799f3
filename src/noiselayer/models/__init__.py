"""Base networks, by name or by class; whatever maps inputs to logits will do in their place."""

from noiselayer.models.alexnet32 import AlexNet32
from noiselayer.models.dense import linear, mlp
from noiselayer.models.normalization import Standardize, with_normalization
from noiselayer.models.paper import PaperNet, paper_parameter_groups
from noiselayer.models.registry import MODELS, build_model, count_parameters
from noiselayer.models.response_norm import ResponseNorm
from noiselayer.models.small import SmallNet

__all__ = [
    "MODELS",
    "AlexNet32",
    "PaperNet",
    "ResponseNorm",
    "SmallNet",
    "Standardize",
    "build_model",
    "count_parameters",
    "linear",
    "mlp",
    "paper_parameter_groups",
    "with_normalization",
]
