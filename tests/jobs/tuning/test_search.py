"""What can be searched, how it is written, and what is refused."""

import pytest

from noiselayer.errors import InputError
from noiselayer.jobs.tuning.search import SearchRange, apply_values, default_search, parse_search, with_grid
from noiselayer.training.options import TrainingOptions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("noisy-weight=0:1", SearchRange("noisy_weight", 0, 1)),
        (" Alpha = 0.1 : 1 ", SearchRange("alpha", 0.1, 1)),
        ("trace-penalty=1e-3:1:log", SearchRange("trace_penalty", 0.001, 1, log=True)),
        ("noise_weight_decay", SearchRange("noise_weight_decay", 0.0001, 0.1, log=True)),
        ("outside-weight", SearchRange("outside_weight", 0, 1)),
    ],
)
def test_ranges_as_people_type_them(text: str, expected: SearchRange) -> None:
    assert parse_search(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "noisy-wieght=0:1",
            "'noisy-wieght' cannot be searched; what can is alpha, .* Did you mean 'noisy-weight'",
        ),
        ("gamma=0:1", r"'gamma' cannot be searched; .* It is called noisy-weight here\."),
        ("sparsity=0:1", "sparsity is not searched here: .*select_sparsity chooses it by cross-validation"),
        ("alpha=0.5:0.5", "the range of alpha is empty: 0.5:0.5"),
        ("alpha=0.9:0.1", "the range of alpha is empty: 0.9:0.1. Give the smaller end first"),
        ("alpha=0.1:1.5", "alpha must be a number between 0 and 1; the search asks for 1.5"),
        ("noisy-weight=-1:1", "noisy_weight must be a number from 0 up; the search asks for -1"),
        ("noisy-weight=0:inf", "the range of noisy_weight must be finite"),
        ("noisy-weight=nan:1", "the range of noisy_weight must be finite"),
        ("trace-penalty=0:1:log", "cannot begin at 0; begin it at a small number, such as 0.001"),
        ("alpha=a:b", "the ends of a range must be numbers; got 'alpha=a:b'"),
        ("alpha=0:1:linear", "written NAME=LOW:HIGH or NAME=LOW:HIGH:log"),
        ("alpha=0.5", "written NAME=LOW:HIGH or NAME=LOW:HIGH:log"),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_search(text)


def test_a_grid_is_sorted_and_checked() -> None:
    (search,) = with_grid([parse_search("trace-penalty")], [0.5, 0, 0.1, 0.5])
    assert (search.values, search.low, search.high, search.log) == ((0, 0.1, 0.5), 0, 0.5, True)
    with pytest.raises(InputError, match="at least two different values; got 1"):
        with_grid([parse_search("alpha")], [0.5, 0.5])
    with pytest.raises(InputError, match="alpha must be a number between 0 and 1; the search asks for 2"):
        with_grid([parse_search("alpha")], [0.5, 2])
    with pytest.raises(
        InputError, match=r"a grid is for one option, and 2 are searched \(alpha, noisy-weight\)"
    ):
        with_grid([parse_search("alpha"), parse_search("noisy-weight")], [0.1, 1])


@pytest.mark.parametrize(
    ("options", "clean", "expected"),
    [
        (TrainingOptions("top-down"), False, "alpha"),
        (TrainingOptions("top-down"), True, "alpha"),
        (TrainingOptions("normal"), True, "noisy_weight"),
        (TrainingOptions("estimated"), True, "noisy_weight"),
        (TrainingOptions("refined", train_on_clean=False), True, "noise_weight_decay"),
        (TrainingOptions("learned", start="identity"), False, "noise_weight_decay"),
        (TrainingOptions("learned", start="joint"), False, "noise_weight_decay"),
        (TrainingOptions("learned", start="identity"), True, "noisy_weight"),
    ],
)
def test_what_is_searched_by_default(options: TrainingOptions, clean: bool, expected: str) -> None:
    assert [search.name for search in default_search(options, clean=clean)] == [expected]


@pytest.mark.parametrize("options", [TrainingOptions("normal"), TrainingOptions("learned")])
def test_nothing_to_search(options: TrainingOptions) -> None:
    with pytest.raises(InputError, match="nothing to search with method .* take method 'top-down'"):
        default_search(options, clean=False)


def test_values_find_their_place() -> None:
    options = apply_values(
        TrainingOptions(), {"noisy_weight": 0.25, "noise_weight_decay": 0.5, "trace_penalty": 0.125}
    )
    assert options.noisy_weight == 0.25
    assert options.optimization.noise_weight_decay == 0.5
    assert options.optimization.trace_penalty == 0.125
    assert apply_values(options, {}) == options
