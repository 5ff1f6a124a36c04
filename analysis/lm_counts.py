"""The counts behind the LM statistics, what follows from them, and how sure one may be.

Every statistic is a ratio of sums over sequences. Sequences of one document are not independent, so
the 95% intervals draw documents with replacement, all sequences of one together.
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from mt5x.studies.results import HIGH, LOW

RESAMPLES = 1_000


@dataclasses.dataclass(frozen=True)
class LmStatistics:
    """The counts of every sequence, from which the statistics and their uncertainty follow.

    Target tokens are all tokens of a target: the hidden text, its sentinels, and the end token.
    Characters and bytes are those of the hidden text alone (characters are Unicode code points,
    bytes those of UTF-8), and `text_nll` is of its tokens alone.

    Attributes:
      nll: float64 [sequences], negative log-likelihood summed over the target's tokens, in nats.
      tokens: int64 [sequences], target tokens.
      hits: int64 [sequences], target tokens that the greedy decode has at the same position.
      forced_hits: int64 [sequences], target tokens that are the likeliest after the reference's.
      text_nll: float64 [sequences], as `nll`, of the hidden text.
      characters: int64 [sequences]; None where the text is not known.
      bytes: int64 [sequences], likewise.
      documents: int64 [sequences], the document that a sequence begins in; None takes each for one.
    """

    nll: np.ndarray
    tokens: np.ndarray
    hits: np.ndarray
    forced_hits: np.ndarray
    text_nll: np.ndarray
    characters: np.ndarray | None = None
    bytes: np.ndarray | None = None
    documents: np.ndarray | None = None

    def part(self, start: int, stop: int) -> "LmStatistics":
        """Those of the sequences from `start` up to `stop`."""
        known = {name: one[start:stop] for name, one in vars(self).items() if one is not None}
        return LmStatistics(**known)

    @property
    def num_examples(self) -> int:
        """Sequences measured."""
        return len(self.tokens)

    def metrics(self) -> dict[str, float]:
        """Returns the statistics under the names of the result table (`RATIOS`), and the counts."""
        found = {}
        for name, ratio in RATIOS.items():
            if (parts := ratio.parts(self)) is not None and parts[1].sum() > 0:
                found[name] = float(ratio.value(parts[0].sum() / parts[1].sum()))
        return found | self.counts()

    def counts(self) -> dict[str, float]:
        """Returns how much text was measured: tokens, characters, bytes, documents."""
        found = {"lm_tokens": float(self.tokens.sum()), "lm_documents": float(self._documents)}
        if self.characters is not None and self.bytes is not None:
            found["lm_characters"] = float(self.characters.sum())
            found["lm_bytes"] = float(self.bytes.sum())
        return found

    def intervals(self, seed: int = 0, resamples: int = RESAMPLES) -> dict[str, float]:
        """Returns the ends of each statistic's 95% percentile interval, 'lm_nll:low' and ':high'.

        None of a single document, and none where a draw may have nothing to divide by.

        Args:
          seed: of numpy's default generator, for the draws.
          resamples: how many.
        """
        count = self._documents
        if count < 2:
            return {}
        draws = np.random.default_rng(seed).multinomial(
            count, np.full(count, 1 / count), size=resamples
        )
        found: dict[str, float] = {}
        for name, ratio in RATIOS.items():
            if (parts := ratio.parts(self)) is None:
                continue
            above, below = (draws @ self._by_document(part) for part in parts)
            if (below > 0).all():
                low, high = np.quantile(ratio.value(above / below), [0.025, 0.975])
                found |= {name + LOW: float(low), name + HIGH: float(high)}
        return found

    @property
    def _documents(self) -> int:
        return self.num_examples if self.documents is None else len(np.unique(self.documents))

    def _by_document(self, values: np.ndarray) -> np.ndarray:
        """Sums over the sequences of each document, float64 [documents]."""
        if self.documents is None:
            return values.astype(np.float64)
        _, numbers = np.unique(self.documents, return_inverse=True)
        return np.bincount(numbers, values.astype(np.float64))


@dataclasses.dataclass(frozen=True)
class Ratio:
    """A statistic: what is summed above and below, and what is made of the quotient.

    Attributes:
      above, below: counts to [sequences]; None where they are not known.
      value: of the quotient.
    """

    above: Callable[[LmStatistics], np.ndarray | None]
    below: Callable[[LmStatistics], np.ndarray | None]
    value: Callable[[np.ndarray], np.ndarray] = lambda quotient: quotient

    def parts(self, counts: LmStatistics) -> tuple[np.ndarray, np.ndarray] | None:
        """Returns the numbers above and below of every sequence, or None."""
        above, below = self.above(counts), self.below(counts)
        return None if above is None or below is None else (above, below)


def _percent(quotient: np.ndarray) -> np.ndarray:
    return 100 * quotient


RATIOS: Mapping[str, Ratio] = {
    "lm_nll": Ratio(lambda c: c.nll, lambda c: c.tokens),
    "lm_perplexity": Ratio(lambda c: c.nll, lambda c: c.tokens, np.exp),
    "lm_nll_per_char": Ratio(lambda c: c.text_nll, lambda c: c.characters),
    "lm_nll_per_byte": Ratio(lambda c: c.text_nll, lambda c: c.bytes),
    "lm_em": Ratio(lambda c: c.hits == c.tokens, lambda c: np.ones_like(c.tokens), _percent),
    "lm_token_em": Ratio(lambda c: c.hits, lambda c: c.tokens, _percent),
    "lm_teacher_forced_em": Ratio(lambda c: c.forced_hits, lambda c: c.tokens, _percent),
}
"""LM(L) per target token; the same as perplexity; nats of the hidden text for one of its
characters, and of its bytes; LM_EM(L), the product form; token by token; and with the reference
before each token (teacher forcing)."""
