"""What the examples share: scikit-learn's digits, 40 % of the training labels those of the next digit."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import noiselayer

TRUE_MATRIX = noiselayer.noise.pair_flip(10, 0.4)
START = noiselayer.noise.symmetric(10, 0.3)  # off the identity, from which a matrix hardly moves


def load():
    """Training images and their noisy labels, test images and their true labels."""
    X, y = load_digits(return_X_y=True)
    split = train_test_split(torch.tensor(X / 16).float(), torch.tensor(y), test_size=500, random_state=0)
    x, x_test, y, y_test = split
    noisy = noiselayer.corrupt_labels(y, TRUE_MATRIX, generator=torch.Generator().manual_seed(0))
    return x, noisy, x_test, y_test


def network():
    """Logits of the true class."""
    return torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))


def report(predicted, y_test, noise_matrix):
    """One line: how often the true class is missed, and how far the matrix is from the true one."""
    wrong = 100 * (torch.as_tensor(predicted) != y_test).float().mean()
    off = (torch.as_tensor(noise_matrix).cpu() - TRUE_MATRIX).abs().sum(dim=0).mean()
    print(f"test error {wrong:.1f} %, 40 % of the labels were wrong; noise matrix off by {off:.2f}")
