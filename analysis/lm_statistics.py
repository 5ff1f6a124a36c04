"""LM(L) and LM_EM(L): how well a pretrained model fills masked spans of a language's text.

Definitions of arXiv 2212.01757, on span corruption as in pretraining. LM(L) is the mean negative
log-likelihood per target token. LM_EM(L) = 1/|X| sum over (x, s) of prod_i 1(x_i = s_i), x the
greedy decode and s the reference: the share of sequences restored in every token. Others read it
token by token; that share of reference tokens, met at their position, stands beside it.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from mt5x import decoding, partitioning, scoring, steps
from mt5x.model import Transformer

Rows = dict[str, jax.Array]


@dataclasses.dataclass(frozen=True)
class LmStatistics:
    """The counts of every sequence, from which the statistics and their uncertainty follow.

    Tokens are all tokens of a target: the hidden text, its sentinels, and the end token.

    Attributes:
      nll: float64 [sequences], negative log-likelihood summed over the target's tokens, in nats.
      tokens: int64 [sequences], target tokens.
      hits: int64 [sequences], target tokens that the greedy decode has at the same position.
    """

    nll: np.ndarray
    tokens: np.ndarray
    hits: np.ndarray

    @property
    def num_examples(self) -> int:
        """Sequences measured."""
        return len(self.tokens)

    @property
    def lm_nll(self) -> float:
        """LM(L): nats per target token."""
        return float(self.nll.sum() / self.tokens.sum())

    @property
    def lm_em(self) -> float:
        """LM_EM(L), the product form: percent of sequences restored in every token."""
        return 100 * float(np.mean(self.hits == self.tokens))

    @property
    def lm_token_em(self) -> float:
        """LM_EM(L) token by token: percent of target tokens met at their position."""
        return 100 * float(self.hits.sum() / self.tokens.sum())

    def metrics(self) -> dict[str, float]:
        """Returns the three statistics under the names of the result table."""
        return {"lm_nll": self.lm_nll, "lm_em": self.lm_em, "lm_token_em": self.lm_token_em}


def measure(
    model: Transformer,
    params: Any,
    batches: Iterable[Mapping[str, np.ndarray]],
    mesh: Mesh | None = None,
    advance: Callable[[int], None] = lambda sequences: None,
) -> LmStatistics:
    """Measures a model on batches of span corruption.

    Args:
      model: the network.
      params: its parameters.
      batches: unpacked batches: encoder_input_tokens [b, s], decoder_input_tokens,
        decoder_target_tokens and decoder_loss_weights [b, t], int32, targets with their end
        token. A row without weight is padding and is not counted.
      mesh: devices that rows are split over, and that `params` lie on; None for one device.
      advance: told how many sequences are done, batch by batch.

    Raises:
      ValueError: a batch is packed, or there is no sequence at all.
    """
    compute = _row_statistics(model, mesh)
    parts: list[dict[str, np.ndarray]] = []
    pending: Rows | None = None
    for batch in batches:
        if "decoder_segment_ids" in batch:
            raise ValueError("LM statistics need one sequence a row: the batch is packed")
        placed = dict(batch) if mesh is None else steps.place(batch, mesh)
        rows = compute(params, placed)
        # One batch behind the device, which never waits for us.
        if pending is not None:
            parts.append(_counted(pending))
            advance(len(parts[-1]["tokens"]))
        pending = rows
    if pending is not None:
        parts.append(_counted(pending))
        advance(len(parts[-1]["tokens"]))
    if not sum(len(part["tokens"]) for part in parts):
        raise ValueError("no sequence to measure")
    return LmStatistics(
        **{name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    )


@functools.lru_cache(maxsize=8)
def _row_statistics(model: Transformer, mesh: Mesh | None) -> Callable[..., Rows]:
    """Returns compute(params, batch) -> {'nll', 'tokens', 'hits'}, each [b], compiled."""

    def compute(params: Any, batch: Mapping[str, jax.Array]) -> Rows:
        targets = batch["decoder_target_tokens"]
        counted = batch["decoder_loss_weights"] > 0
        log_probs = scoring.token_log_probs(model, params, batch)
        # The decode may not run on where the reference was cut: positions are compared, not texts.
        decoded, _ = decoding.greedy_decode(
            model, params, batch["encoder_input_tokens"], max_decode_length=targets.shape[1]
        )
        return {
            "nll": -jnp.where(counted, log_probs, 0.0).sum(axis=1),
            "tokens": counted.sum(axis=1),
            "hits": ((decoded == targets) & counted).sum(axis=1),
        }

    if mesh is None:
        return jax.jit(compute)
    return jax.jit(compute, out_shardings=partitioning.replicated(mesh))


def _counted(rows: Rows) -> dict[str, np.ndarray]:
    """Brings a batch to the host in full width, rows of padding dropped."""
    tokens = np.asarray(rows["tokens"])
    real = tokens > 0
    return {
        "nll": np.asarray(rows["nll"], np.float64)[real],
        "tokens": tokens[real].astype(np.int64),
        "hits": np.asarray(rows["hits"])[real].astype(np.int64),
    }
