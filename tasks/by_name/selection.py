"""Which rows a subset of n takes: a choice by hash, nested and balanced, that order cannot change.

Every row gets a rank from a keyed hash of the seed and what the row says. Within each stratum
(label) the rows are taken by rank, and the strata take turns as seats are given to parties by
Sainte-Laguë's divisors: the row that is r-th of the c rows of its stratum stands at
(r + 1/2) / c, and the first n in that order are taken. So a smaller subset lies inside a larger
one, and the strata have their shares of the whole, to less than one row for up to three strata.
"""

import collections
import hashlib
import heapq
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

Strings: TypeAlias = tuple[bytes, ...]

_RANK_BYTES = 16
_TIE_BYTES = 8


class Row(NamedTuple):
    """A row as the selection sees it.

    Attributes:
      rank: where it stands among all rows.
      stored: all that it holds.
    """

    rank: int
    stored: Strings


def rank(said: Iterable[bytes], stored: Iterable[bytes], seed: int) -> int:
    """Returns a row's place in the order of `seed`, a number below 2**192.

    Args:
      said: what the row says: its inputs and targets. They decide.
      stored: all of the row, which decides between rows that say the same.
      seed: any integer from 0, below 2**64.
    """
    key = seed.to_bytes(8, "big")
    digest = _digest(said, key, _RANK_BYTES) + _digest(stored, key, _TIE_BYTES)
    return int.from_bytes(digest, "big")


def _digest(strings: Iterable[bytes], key: bytes, size: int) -> bytes:
    hashed = hashlib.blake2b(key=key, digest_size=size)
    for string in strings:
        hashed.update(len(string).to_bytes(8, "big") + string)
    return hashed.digest()


class Selection:
    """Chooses n of the rows that it is shown one by one; keeps at most n of each stratum.

    >>> chosen = Selection(2)
    >>> for text in (b"a", b"b", b"c"):
    ...     chosen.add(Row(rank([text], [text], seed=0), (text,)), stratum=None)
    >>> len(chosen.rows())
    2
    """

    def __init__(self, size: int):
        self.size = size
        self.seen = 0
        # Of each stratum the rows of lowest rank, as heaps with the highest rank on top.
        self._kept: dict[Hashable, list[tuple[int, Strings]]] = collections.defaultdict(list)
        self._counts: collections.Counter[Hashable] = collections.Counter()

    def add(self, row: Row, stratum: Hashable) -> None:
        """Shows it a row."""
        self.seen += 1
        self._counts[stratum] += 1
        heap = self._kept[stratum]
        if len(heap) < self.size:
            heapq.heappush(heap, (-row.rank, row.stored))
        elif -row.rank > heap[0][0]:
            heapq.heapreplace(heap, (-row.rank, row.stored))

    def rows(self) -> list[Strings]:
        """Returns the chosen rows by rank; all that were seen where there are fewer than n."""
        chosen = heapq.nsmallest(self.size, self._placed())
        return [stored for rank, stored in sorted((row.rank, row.stored) for _, row in chosen)]

    def _placed(self) -> Iterable[tuple[tuple[float, int], Row]]:
        """Yields the kept rows, each with the place that decides whether it is taken."""
        for stratum, heap in self._kept.items():
            yield from self._places(sorted(Row(-rank, stored) for rank, stored in heap), stratum)

    def _places(
        self, rows: Sequence[Row], stratum: Hashable
    ) -> Iterator[tuple[tuple[float, int], Row]]:
        count = self._counts[stratum]
        for position, row in enumerate(rows):
            yield ((position + 0.5) / count, row.rank), row
