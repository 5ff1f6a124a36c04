"""LM(L) and LM_EM(L): how well a pretrained model fills masked spans of a language's text.

Definitions of arXiv 2212.01757, on span corruption as in pretraining. LM(L) is the mean negative
log-likelihood per target token. LM_EM(L) = 1/|X| sum over (x, s) of prod_i 1(x_i = s_i), x the
greedy decode and s the reference: the share of sequences restored in every token. Others read it
token by token; that share of reference tokens, met at their position, stands beside it.

One pass with the reference as decoder input (teacher forcing) tells most of it: as long as each
likeliest token is the reference's, the greedy decode reads what that pass read, so the two agree up
to and with their first difference. A sequence without one is restored; one whose difference is its
last token, or where the model ends there, has no more hits. Only the others are decoded.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from analysis.lm_counts import LmStatistics as LmStatistics
from mt5x import decoding, length_buckets, partitioning, scoring, steps
from mt5x.model import Transformer

Rows = dict[str, jax.Array]

_EOS = 1
_SHORTEST_TARGET = 8


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
        token, weights 1 at a target's tokens and 0 after them; decoder_text_weights, if there, 1 at
        those of the hidden text. A row without weight is padding and is not counted. All have the
        same number of rows.
      mesh: devices that rows are split over, and that `params` lie on; None for one device.
      advance: told how many sequences are done, batch by batch.

    Raises:
      ValueError: a batch is packed, or there is no sequence at all.
    """
    compute = _teacher_forced(model, mesh)
    inputs: list[np.ndarray] = []
    targets: list[np.ndarray] = []
    parts: list[dict[str, np.ndarray]] = []
    batch_size = 0

    def read(rows: Rows) -> None:
        part = _counted(rows)
        parts.append(part)
        advance(int(part["settled"].sum()))

    pending: Rows | None = None
    for batch in batches:
        if "decoder_segment_ids" in batch:
            raise ValueError("LM statistics need one sequence a row: the batch is packed")
        placed = dict(batch) if mesh is None else steps.place(batch, mesh)
        rows = compute(params, placed)
        # One batch behind the device, which never waits for us.
        if pending is not None:
            read(pending)
        pending = rows
        counts = np.asarray(batch["decoder_loss_weights"] > 0).sum(axis=1)
        batch_size = len(counts)
        for row in np.flatnonzero(counts):
            inputs.append(_trimmed(batch["encoder_input_tokens"][row]))
            targets.append(np.asarray(batch["decoder_target_tokens"][row, : counts[row]]))
    if pending is not None:
        read(pending)
    if not inputs:
        raise ValueError("no sequence to measure")
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    open_rows = np.flatnonzero(~found.pop("settled"))
    found["hits"][open_rows] = _decoded_hits(
        model,
        params,
        mesh,
        [inputs[row] for row in open_rows],
        [targets[row] for row in open_rows],
        batch_size,
        advance,
    )
    return LmStatistics(**found)


def _decoded_hits(
    model: Transformer,
    params: Any,
    mesh: Mesh | None,
    inputs: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
    batch_size: int,
    advance: Callable[[int], None],
) -> list[int]:
    """Decodes each input greedily up to its target's length; how many tokens are the target's."""

    def predict(indices: Sequence[int], rows: int) -> tuple[jax.Array]:
        references = [targets[index] for index in indices]
        longest = max(map(len, references))
        batch = {
            "inputs": length_buckets.tokens(inputs, indices, rows),
            "targets": length_buckets.padded(
                references, rows, length_buckets.bucket(longest, _SHORTEST_TARGET)
            ),
        }
        placed = batch if mesh is None else steps.place(batch, mesh)
        return (_decode(model, mesh)(params, placed),)

    # Like targets together: a batch is decoded as long as its longest.
    lengths = [len(target) for target in targets]
    parts = 1 if mesh is None else partitioning.batch_parts(mesh)
    found = length_buckets.in_order(lengths, batch_size, predict, advance, parts)
    return [int(hits) for (hits,) in found]


@functools.lru_cache(maxsize=8)
def _teacher_forced(model: Transformer, mesh: Mesh | None) -> Callable[..., Rows]:
    """Returns compute(params, batch), compiled; each of what it returns is [b].

    'nll', 'text_nll', 'tokens', 'hits', 'forced_hits' and 'settled': 'hits' are those of the greedy
    decode where it is 'settled' without decoding.
    """

    def compute(params: Any, batch: Mapping[str, jax.Array]) -> Rows:
        targets = batch["decoder_target_tokens"]
        counted = batch["decoder_loss_weights"] > 0
        text = batch.get("decoder_text_weights", batch["decoder_loss_weights"]) > 0
        log_probs, best = scoring.log_probs_and_likeliest(model, params, batch)
        tokens = counted.sum(axis=1)
        # Up to and with the first of these, the decode is known.
        last_known = (best != targets) | (best == _EOS) | ~counted
        known = jnp.argmax(last_known, axis=1)
        known = jnp.where(last_known.any(axis=1), known, targets.shape[1])
        at = jnp.minimum(known, targets.shape[1] - 1)[:, None]
        written, wanted = (jnp.take_along_axis(ids, at, axis=1)[:, 0] for ids in (best, targets))
        met = (known < tokens) & (written == wanted)
        settled = (known >= tokens - 1) | (written == _EOS)
        return {
            "nll": -jnp.where(counted, log_probs, 0.0).sum(axis=1),
            "text_nll": -jnp.where(text, log_probs, 0.0).sum(axis=1),
            "forced_hits": ((best == targets) & counted).sum(axis=1),
            "tokens": tokens,
            "hits": jnp.minimum(known, tokens) + met,
            "settled": settled,
        }

    return _compiled(compute, mesh)


@functools.lru_cache(maxsize=8)
def _decode(model: Transformer, mesh: Mesh | None) -> Callable[..., jax.Array]:
    """Returns decode(params, {'inputs': [b, s], 'targets': [b, t]}) -> hits [b], compiled."""

    def decode(params: Any, batch: Mapping[str, jax.Array]) -> jax.Array:
        targets = batch["targets"]
        longest = (targets > 0).sum(axis=1)
        decoded, _ = decoding.greedy_decode(
            model, params, batch["inputs"], targets.shape[1], _EOS, longest
        )
        return ((decoded == targets) & (targets > 0)).sum(axis=1)

    return _compiled(decode, mesh)


def _compiled(function: Callable[..., Any], mesh: Mesh | None) -> Callable[..., Any]:
    if mesh is None:
        return jax.jit(function)
    return jax.jit(function, out_shardings=partitioning.replicated(mesh))


def _counted(rows: Rows) -> dict[str, np.ndarray]:
    """Brings a batch to the host in full width, rows of padding dropped."""
    tokens = np.asarray(rows["tokens"])
    real = tokens > 0
    return {
        **{name: np.asarray(rows[name], np.float64)[real] for name in ("nll", "text_nll")},
        "tokens": tokens[real].astype(np.int64),
        **{name: np.asarray(rows[name])[real].astype(np.int64) for name in ("hits", "forced_hits")},
        "settled": np.asarray(rows["settled"])[real],
    }


def _trimmed(ids: np.ndarray) -> np.ndarray:
    """Without the padding at the end."""
    ids = np.asarray(ids)
    return ids[: np.flatnonzero(ids).max(initial=-1) + 1]
