"""Which of outside32's 200 classes a search for one of CIFAR-10's ten categories would bring up, by their words."""

from __future__ import annotations

from typing import NamedTuple


class NameMatch(NamedTuple):
    """The category of CIFAR-10 that the words of a class suggest, and whether its images show it by its own rules."""

    category: str
    shown: bool


def _matches(category: str, shown: bool, *names: str) -> dict[str, NameMatch]:
    return dict.fromkeys(names, NameMatch(category, shown))


OUTSIDE_NAMES: dict[str, NameMatch] = {
    # The pictures show the category.
    **_matches("automobile", True, "beach wagon", "convertible", "limousine", "sports car"),
    **_matches("bird", True, "albatross", "black stork", "goose", "king penguin"),
    **_matches("cat", True, "Egyptian cat", "Persian cat", "tabby"),
    **_matches(
        "dog",
        True,
        "Chihuahua",
        "German shepherd",
        "Labrador retriever",
        "Yorkshire terrier",
        "golden retriever",
        "standard poodle",
    ),
    **_matches("frog", True, "bullfrog", "tailed frog"),
    **_matches("ship", True, "gondola", "lifeboat"),
    **_matches("truck", True, "moving van"),
    # A word fits and the pictures do not. CIFAR-10's cats are domestic ones, its deer have antlers or their
    # likes (a gazelle is an antelope), and vans are neither its automobiles nor its trucks.
    **_matches("airplane", False, "projectile"),  # missile
    **_matches("automobile", False, "freight car", "go-kart"),
    **_matches("bird", False, "birdhouse", "crane", "dragonfly", "ladybug"),  # the machine; hawk; ladybird
    **_matches("cat", False, "cougar", "lesser panda", "lion"),  # catamount; cat bear
    **_matches("deer", False, "gazelle"),
    **_matches("truck", False, "police van", "trolleybus"),
}
"""First words of a class -> what they suggest. Classes that are not here show none of the ten either."""
