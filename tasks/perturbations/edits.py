"""Changes of a text: proposed everywhere they are possible, then chosen by strength.

What is proposed and in which order it is chosen never depends on the strength, so that the changes
at 10 % are among those at 20 %. Random numbers come from `random.Random.random` alone, whose
sequence Python guarantees.
"""

import dataclasses
import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

from tasks.perturbations import graphemes
from tasks.perturbations.segments import Segments

_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True)
class Edit:
    """Clusters `start` to `end` (exclusive) become `clusters`."""

    start: int
    end: int
    clusters: tuple[str, ...]


def generator(seed: int, *key: str) -> random.Random:
    """Returns the random numbers that belong to a seed and a text, wherever the text is read."""
    text = "\0".join((str(seed), *key)).encode("utf-8", "surrogatepass")
    return random.Random(int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "big"))


def pick(options: Sequence[_T], rng: random.Random) -> _T:
    """Returns one of the options, each as likely."""
    return options[int(rng.random() * len(options))]


def order(count: int, rng: random.Random) -> list[int]:
    """Returns 0 … count - 1 in random order."""
    return sorted(range(count), key=[rng.random() for _ in range(count)].__getitem__)


def number(count: int, strength: int, rng: random.Random) -> int:
    """Returns how many of `count` units are changed: strength percent, rounded at random.

    On average exactly strength percent, so that texts with few units get their share, too; at 0
    none and at 100 all.
    """
    return (count * strength + int(rng.random() * 100)) // 100


def fits(edit: Edit, segments: Segments) -> bool:
    """Says whether an edit of its own changes the text and no cluster around it."""
    clusters = segments.clusters
    left, right = clusters[max(edit.start - 1, 0) : edit.start], clusters[edit.end : edit.end + 1]
    return edit.clusters != clusters[edit.start : edit.end] and graphemes.stand(
        left, edit.clusters, right
    )


def apply(segments: Segments, proposals: Sequence[Edit], strength: int, rng: random.Random) -> str:
    """Returns the text with strength percent of the proposed edits made.

    Args:
      segments: the text.
      proposals: edits in the order of the text, not overlapping, each of which `fits`.
      strength: percent of the proposals.
      rng: decides which.
    """
    sequence = order(len(proposals), rng)
    chosen = sorted(sequence[: number(len(proposals), strength, rng)])
    out: list[str] = []
    done = 0
    for edit in (proposals[index] for index in chosen):
        out += segments.clusters[done : edit.start]
        # Two edits side by side, as in scripts without spaces, may meet in new clusters.
        stands = graphemes.stand(
            out[-1:], edit.clusters, segments.clusters[edit.end : edit.end + 1]
        )
        out += edit.clusters if stands else segments.clusters[edit.start : edit.end]
        done = edit.end
    return "".join([*out, *segments.clusters[done:]])
