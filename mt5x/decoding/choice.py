"""How texts are decoded, in one hashable value that evaluation, prediction and predictor share."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mt5x.decoding.beam import NO_DECODE, beam_search
from mt5x.decoding.greedy import greedy_decode
from mt5x.decoding.penalty import T5X_ALPHA
from mt5x.decoding.sampling import sample
from mt5x.errors import UserError, nearest
from mt5x.model import Transformer

Array = jax.Array

KINDS = ("greedy", "beam", "sample")
_T5X_BEAMS = 4


class Decodes(NamedTuple):
    """Decodes of a batch, the best of each row first.

    Attributes:
      ids: int32 [batch, decodes, length], 0 after the end token.
      scores: float32 [batch, decodes], in nats: the log-probability, which beam search divides by
        its length penalty; `NO_DECODE` where the search found no more decodes.
    """

    ids: Array
    scores: Array


@dataclasses.dataclass(frozen=True)
class DecodeConfig:
    """Chooses the decoder; being hashable, it keys the compiled step.

    Attributes:
      kind: 'greedy' takes the likeliest token at each step, 'beam' searches as T5X does, 'sample'
        draws.
      num_decodes: beams, or samples of each row; None is 4 for 'beam' (T5X's) and 1 otherwise.
      alpha: of beam search: the power of the length penalty; 0 is none.
      temperature: of sampling: below 1 sharpens, above 1 flattens.
      top_k: of sampling: draw from the k likeliest tokens alone; None draws from all.
      top_p: of sampling: draw from the likeliest tokens that sum to p; None draws from all.
      max_length: most tokens of a decode, its end token included; None leaves it to the job.
      seed: of sampling.

    Raises:
      UserError: an unknown kind, a number out of range, or one that the kind does not read.
    """

    kind: str = "greedy"
    num_decodes: int | None = None
    alpha: float = T5X_ALPHA
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    max_length: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Fills in the number of decodes and refuses what cannot be meant."""
        if self.kind not in KINDS:
            raise UserError(
                f"DecodeConfig.kind must be {', '.join(KINDS[:-1])} or {KINDS[-1]}, not "
                f"{self.kind!r}{nearest(str(self.kind), KINDS, count=1)}"
            )
        if self.num_decodes is None:
            object.__setattr__(self, "num_decodes", _T5X_BEAMS if self.kind == "beam" else 1)
        for name in ("num_decodes", "top_k", "max_length"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise UserError(
                    f"DecodeConfig.{name} must be a whole number of at least 1, not {value!r}"
                )
        if self.kind == "greedy" and self.num_decodes != 1:
            raise UserError(
                f"DecodeConfig.num_decodes must be 1 where kind is 'greedy', not "
                f"{self.num_decodes}; choose kind 'beam' or 'sample' for several decodes"
            )
        if not self.temperature > 0:
            raise UserError(
                f"DecodeConfig.temperature must be above 0, not {self.temperature!r}; kind "
                "'greedy' always takes the likeliest token"
            )
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise UserError(f"DecodeConfig.top_p must be above 0, at most 1, not {self.top_p!r}")
        self._refuse_what_is_not_read()

    def _refuse_what_is_not_read(self) -> None:
        fields = {field.name: field.default for field in dataclasses.fields(self)}
        readers = {"alpha": "beam", "temperature": "sample", "top_k": "sample", "top_p": "sample"}
        for name, reader in readers.items():
            if self.kind != reader and getattr(self, name) != fields[name]:
                raise UserError(
                    f"DecodeConfig.{name}={getattr(self, name)} is for kind {reader!r} and is not "
                    f"read where kind is {self.kind!r}; leave it out or choose that kind"
                )

    def compiled_for(self, max_length: int) -> "DecodeConfig":
        """The part that a compiled step depends on: no seed, and a length for the job's None."""
        return dataclasses.replace(self, max_length=self.max_length or max_length, seed=0)


GREEDY = DecodeConfig()


def decode(
    model: Transformer,
    params: Any,
    encoder_input_tokens: Array,
    config: DecodeConfig,
    key: Array,
    rows: Array,
    eos_id: int = 1,
) -> Decodes:
    """Decodes a batch as `config` says, best first.

    Args:
      model: the network; dropout is off.
      params: its parameters.
      encoder_input_tokens: int32 [batch, source], padded with 0.
      config: with a `max_length`.
      key: the random key of the whole input; read by sampling alone.
      rows: int32 [batch], each row's place in the whole input; read by sampling alone.
      eos_id: the end token.
    """
    length, decodes = config.max_length, config.num_decodes
    if length is None or decodes is None:
        raise ValueError(f"{config} has no max_length: take its compiled_for(length)")
    common = (model, params, encoder_input_tokens, length)
    if config.kind == "greedy":
        one, score = greedy_decode(*common, eos_id)
        return Decodes(one[:, None], score[:, None])
    if config.kind == "beam":
        ids, scores = beam_search(*common, decodes, config.alpha, eos_id)
        return Decodes(jnp.flip(ids, axis=1), jnp.flip(scores, axis=1))
    ids, scores = sample(
        *common, key, rows, decodes, config.temperature, config.top_k, config.top_p, eos_id
    )
    order = jnp.argsort(-scores, axis=1, stable=True)
    return Decodes(
        jnp.take_along_axis(ids, order[..., None], axis=1),
        jnp.take_along_axis(scores, order, axis=1),
    )


def found(score: float) -> bool:
    """Whether a score is that of a decode, and not of a place that the search left empty."""
    return score > NO_DECODE / 2
