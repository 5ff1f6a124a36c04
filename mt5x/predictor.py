"""Prediction in a program of one's own: a checkpoint and texts, without gin and TensorFlow.

predictor = Predictor("runs/panx")
predictor.predict(["tag: Rick lives in Berlin"])
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from jax.sharding import Mesh

from mt5x import found_model, prediction
from mt5x.checkpoints import restore
from mt5x.decoding import GREEDY, DecodeConfig
from mt5x.errors import UserError
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import Partitioner
from mt5x.prediction import Advance, Decode, nobody
from mt5x.vocabularies import Vocabulary

_MAX_LENGTH = 64


class Predictor:
    """A checkpoint, ready to predict.

    Args:
      checkpoint: a checkpoint of any format, or a folder of them (the newest is taken).
      vocabulary: None finds it beside the checkpoint; else a vocabulary, 'byt5', or the path of a
        SentencePiece .model file.
      dtype: of activations, 'float32' or 'bfloat16'; None takes that of the run, float32 where
        nothing tells.
      decode: how `predict` decodes; its arguments change it call by call.
      batch_size: most texts predicted together. It changes no result.
      partitioner: how the network is laid over the devices.

    Raises:
      UserError: see `found_model.find_model`.
    """

    def __init__(
        self,
        checkpoint: str | Path,
        *,
        vocabulary: Vocabulary | str | Path | None = None,
        dtype: str | None = None,
        decode: DecodeConfig = GREEDY,
        batch_size: int = 32,
        partitioner: Partitioner = Partitioner(),
    ):
        partitioner.check_batch_size(batch_size)
        model = found_model.find_model(checkpoint, vocabulary, dtype)
        params, _ = restore.parameters(str(checkpoint), model, partitioner.mesh)
        self._set(model, params, partitioner.mesh, decode, batch_size)

    @classmethod
    def of_model(
        cls,
        model: EncoderDecoderModel,
        params: Any,
        mesh: Mesh,
        *,
        decode: DecodeConfig = GREEDY,
        batch_size: int = 32,
    ) -> "Predictor":
        """A predictor of a model at hand, with its vocabulary.

        Args:
          model: the model.
          params: its parameters, on `mesh`.
          mesh: the devices.
          decode: as for `Predictor`.
          batch_size: as for `Predictor`; divisible by the devices that the batch is split over.
        """
        predictor = cls.__new__(cls)
        predictor._set(model, params, mesh, decode, batch_size)
        return predictor

    def _set(
        self,
        model: EncoderDecoderModel,
        params: Any,
        mesh: Mesh,
        decode: DecodeConfig,
        batch_size: int,
    ) -> None:
        self._common = (model, params, mesh)
        self._vocabulary: Vocabulary = model.vocabulary
        self._batch_size = batch_size
        self.decode_config = decode

    @overload
    def predict(
        self, texts: Sequence[str], *, return_all_decodes: Literal[False] = False, **decode: Any
    ) -> list[str]: ...

    @overload
    def predict(
        self, texts: Sequence[str], *, return_all_decodes: Literal[True], **decode: Any
    ) -> list[list[str]]: ...

    def predict(
        self, texts: Sequence[str], *, return_all_decodes: bool = False, **decode: Any
    ) -> list[str] | list[list[str]]:
        """Returns the text that the model writes for each text.

        Args:
          texts: inputs, as the model was trained on them (its task's prefix included).
          return_all_decodes: return a list for each text, best first: all `num_decodes` of them,
            or as many as a beam search found.
          decode: fields of `DecodeConfig` that differ from the predictor's own, such as
            `kind='beam', num_decodes=4` or `max_length=128` (64 where nothing is said).
        """
        rows = self.decodes(texts, **decode)
        if return_all_decodes:
            return [[one.text for one in row] for row in rows]
        return [row[0].text for row in rows]

    def decodes(
        self, texts: Sequence[str], *, advance: Advance = nobody, **decode: Any
    ) -> list[list[Decode]]:
        """As `predict` with all decodes, each with its score in nats.

        Args:
          texts: inputs.
          advance: told how many texts are done, batch by batch.
          decode: as for `predict`.
        """
        config = self.decode_config
        if decode:
            config = _changed(config, decode)
        return prediction.predict_decodes(
            *self._common,
            self._encoded(texts),
            self._vocabulary,
            self._batch_size,
            _MAX_LENGTH,
            advance,
            config,
        )

    def score(self, texts: Sequence[str], targets: Sequence[str]) -> np.ndarray:
        """Returns the log-probability of each target after its text, float32 [texts], in nats."""
        if len(texts) != len(targets):
            raise UserError(
                f"expected a target for each text, got {len(texts)} texts and {len(targets)} "
                "targets; score_labels scores the same labels after every text"
            )
        scores = prediction.score_targets(
            *self._common, self._encoded(texts), self._encoded(targets), self._batch_size
        )
        return np.array(scores, np.float32)

    def score_labels(self, texts: Sequence[str], labels: Sequence[str]) -> np.ndarray:
        """Returns the log-probability of every label, float32 [texts, labels], in nats.

        The label of the highest one is the prediction of a classification task.
        """
        if not labels:
            raise UserError("expected at least one label, got none")
        rows = prediction.score_labels(
            *self._common, self._encoded(texts), labels, self._vocabulary, self._batch_size
        )
        return np.array(rows, np.float32).reshape(len(texts), len(labels))

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Returns the mean of each text's encoder states, float32 [texts, emb_dim]."""
        rows = prediction.predict_vectors(*self._common, self._encoded(texts), self._batch_size)
        emb_dim = self._common[0].module.config.emb_dim
        return np.array(rows, np.float32).reshape(len(texts), emb_dim)

    def _encoded(self, texts: Sequence[str]) -> list[list[int]]:
        if isinstance(texts, str):
            raise UserError("expected a list of texts, got one text; write [text]")
        vocabulary = self._vocabulary
        return [[*vocabulary.encode(text), vocabulary.eos_id] for text in texts]


def _changed(config: DecodeConfig, changes: dict[str, Any]) -> DecodeConfig:
    """`config` with other fields; those of another kind begin at their defaults."""
    names = {field.name for field in dataclasses.fields(config)}
    for name in changes:
        if name not in names:
            raise TypeError(f"predict has no argument {name!r}; DecodeConfig has {sorted(names)}")
    if changes.get("kind", config.kind) != config.kind:
        kept = {"max_length": config.max_length, "seed": config.seed}
        return DecodeConfig(**{**kept, **changes})
    return dataclasses.replace(config, **changes)
