"""The batches of a run by their numbers in the data, and those that are left out."""

import dataclasses
from collections.abc import Iterator, Sequence

from mt5x.errors import UserError
from mt5x.input_pipeline import Batch


@dataclasses.dataclass(frozen=True)
class NumberedBatch:
    """A batch and its place in the data.

    Attributes:
      number: how many batches of the data come before it, from where the run began.
      features: arrays [rows, length].
    """

    number: int
    features: Batch


@dataclasses.dataclass(frozen=True)
class Skipped:
    """Batches that a run leaves out, as PaLM's did around loss spikes (arXiv 2204.02311).

    Attributes:
      ranges: first and last number of each range.
    """

    ranges: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, wanted: Sequence[int | Sequence[int]]) -> "Skipped":
        """Reads SKIP_BATCHES: numbers, and (first, last) pairs of them.

        Raises:
          UserError: something else.
        """
        ranges = []
        for one in wanted:
            pair = tuple(one) if isinstance(one, Sequence) else (one, one)
            whole = all(isinstance(n, int) and not isinstance(n, bool) for n in pair)
            if isinstance(one, str) or len(pair) != 2 or not whole or not 0 <= pair[0] <= pair[1]:
                raise UserError(
                    "SKIP_BATCHES is a list of batch numbers and (first, last) pairs of them, such "
                    f"as [812, (900, 909)]; {one!r} is neither"
                )
            ranges.append((pair[0], pair[1]))
        return cls(tuple(ranges))

    def __contains__(self, number: int) -> bool:
        return any(first <= number <= last for first, last in self.ranges)

    def position(self, used: int) -> int:
        """The number of the batch that comes after `used` batches that were not left out."""
        number = 0
        while used or number in self:
            used -= number not in self
            number += 1
        return number


def numbered(batches: Iterator[Batch], first: int, skipped: Skipped) -> Iterator[NumberedBatch]:
    """Yields `batches`, of which the first has the number `first`, without those left out."""
    for number, features in enumerate(batches, start=first):
        if number not in skipped:
            yield NumberedBatch(number, features)
