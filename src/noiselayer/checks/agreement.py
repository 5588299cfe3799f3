"""Noise that depends on the input, and images from no class, where a clean set stands beside the noisy one.

The two sets need not share a sample. What is compared holds for any model that was fitted to neither, if both
sets were drawn alike: the same mixture of classes, the same kind of images.
"""

from __future__ import annotations

import torch
from torch import Tensor

from noiselayer.arrays.ranks import bins_within, ranks_within
from noiselayer.checks.finding import Finding
from noiselayer.checks.significance import normal_tail, stratified_score_test

_BINS = 5
_FEWEST = 30  # samples of either set in a bin


def about_agreement(
    Q: Tensor, error: Tensor | None, clean_probs: Tensor, true: Tensor, noisy_probs: Tensor, noisy: Tensor
) -> list[Finding]:
    """Whether noisy labels agree with the model as often as they should, among samples it is equally sure of.

    A model is wrong more often where it is unsure, so noisy labels disagree with it more often there under any noise.
    How much more follows from the clean set: in a bin of equal confidence, the noisy label is the predicted class k
    in a share of sum_i p(true = i, predicted = k) Q[k, i] cases. The model need not be calibrated. The p-value is
    adjusted for the bins only; there is no finding if no bin has 30 samples of either set.
    """
    N = len(true)
    confidence, predicted = torch.cat([clean_probs, noisy_probs]).max(dim=1)
    bins = bins_within(confidence, torch.zeros(len(confidence), dtype=torch.long), _BINS)
    agrees = (predicted[N:] == noisy).double()
    expects = Q[predicted[:N], true]
    reach = float(Q.max() - Q.min())
    tested = []
    for b in range(_BINS):
        observed, expected = agrees[bins[N:] == b], expects[bins[:N] == b]
        if min(len(observed), len(expected)) < _FEWEST:
            continue
        share = float(expected.mean())
        # In a bin where the clean samples all say the same, one more sample might have said the other.
        variance = float(expected.var()) / len(expected) + (reach / len(expected)) ** 2
        variance += share * (1 - share) / len(observed)
        if error is not None:
            variance += float(error[predicted[:N], true][bins[:N] == b].mean()) ** 2
        seen = float(observed.mean())
        tested.append(((seen - share) / max(variance, 1e-300) ** 0.5, b, seen, share))
    if not tested:
        return []
    z, b, seen, share = max(tested, key=lambda of_bin: abs(of_bin[0]))
    return [
        Finding(
            "input_dependent_noise",
            f"Noisy labels agree with the model {'more' if z > 0 else 'less'} often than noise_matrix allows: "
            f"in the {_ordinal(b)} fifth of samples by confidence (1st = least sure) {seen:.1%} do, where the "
            f"clean set and the matrix give {share:.1%} (z = {z:.1f}). Either noise depends on the input, or "
            "noise_matrix is not the one of these data, or the noisy set looks different from the clean one "
            "(other proportions of classes, images from outside). If the matrix is right on average, "
            "down-weight the noisy samples of that fifth or estimate a matrix for each part.",
            z,
            p_value=min(1.0, len(tested) * 2 * normal_tail(abs(z))),
        )
    ]


def about_confidence(clean_probs: Tensor, noisy_probs: Tensor) -> list[Finding]:
    """Whether the noisy set holds more samples than the clean one that the model can place nowhere.

    Within every predicted class, both sets are ranked together by confidence. If they differ in their labels
    only, the ranks of the noisy samples are no lower.

    >>> generator = torch.Generator().manual_seed(0)
    >>> probs = (2 * torch.randn(1000, 3, generator=generator)).softmax(dim=1)
    >>> unsure = torch.full((200, 3), 1 / 3)
    >>> [finding] = about_confidence(probs[:300], torch.cat([probs[300:], unsure]))
    >>> finding.p_value < 0.001
    True
    """
    confidence, predicted = torch.cat([clean_probs, noisy_probs]).max(dim=1)
    is_noisy = torch.arange(len(confidence)) >= len(clean_probs)
    ranks = ranks_within(confidence, predicted)
    z = stratified_score_test(-ranks, is_noisy, predicted)
    if z is None:
        return []
    in_clean, in_noisy = (float((ranks[is_noisy == side] < 0.5).double().mean()) for side in (False, True))
    # Were all images from outside in the less sure half: noisy = outside + (1 - outside) clean.
    outside = max(0.0, (in_noisy - in_clean) / (1 - in_clean)) if in_clean < 1 else 0.0
    return [
        Finding(
            "outside_images",
            f"The model is less sure of the noisy samples than of the clean ones: of those it calls the same "
            f"class, {in_noisy:.1%} of the noisy and {in_clean:.1%} of the clean lie in the less sure half "
            f"(z = {z:.1f}). About {outside:.0%} of the noisy set or more may show none of the classes, and "
            "noise_matrix has no column for them. Use top_down_loss with uniform_conversion, give such "
            "images uniform labels, or lower noisy_weight; look at the least sure samples first.",
            z,
            p_value=normal_tail(z),
        )
    ]


def _ordinal(b: int) -> str:
    return ("1st", "2nd", "3rd", "4th", "5th")[b]
