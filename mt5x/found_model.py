"""The model of a checkpoint, from the checkpoint and from what lies beside it; no gin, no tasks.

The sizes are those of the parameters. What no parameter tells is read from the run's config.gin,
where there is one: the activation functions, the type of the activations, the vocabulary.
"""

import dataclasses
import os
from pathlib import Path
from typing import Any

from mt5x import optimizers, vocabularies
from mt5x.checkpoints import beside, formats
from mt5x.checkpoints.architecture import config_of
from mt5x.errors import UserError
from mt5x.model import T5Config, Transformer
from mt5x.models import EncoderDecoderModel
from mt5x.run_record import VOCABULARY_FILE
from mt5x.vocabularies import Vocabulary

_HOW_TO_NAME_IT = "give vocabulary='byt5' or the path of its SentencePiece .model file"


def find_model(
    checkpoint: str | Path,
    vocabulary: Vocabulary | str | Path | None = None,
    dtype: str | None = None,
) -> EncoderDecoderModel:
    """Returns the model that a checkpoint was made with.

    Args:
      checkpoint: a checkpoint of any format, or a folder of them (the newest is taken).
      vocabulary: None finds it; else a vocabulary, 'byt5', or a SentencePiece .model file.
      dtype: of activations, 'float32' or 'bfloat16'; None takes the run's, float32 without one.

    Raises:
      UserError: there is no checkpoint, it is not of a T5 network, or the vocabulary is neither
        given nor found, or has more ids than the network.
    """
    source = formats.open_source(checkpoint)
    gin = beside.run_settings(source.location)
    sizes = getattr(source, "sizes", None) or config_of(source.parameters, source.location)
    changes: dict[str, Any] = {"dropout_rate": 0.0}
    for name, known in (
        ("dtype", dtype or gin.get("DTYPE")),
        ("mlp_activations", gin.get("T5Config.mlp_activations")),
    ):
        if known is not None:
            changes[name] = known
    network: T5Config = dataclasses.replace(sizes, **changes)
    if vocabulary is None:
        vocabulary = _find_vocabulary(source.location, gin.get("VOCABULARY"))
    elif isinstance(vocabulary, str | os.PathLike):
        vocabulary = vocabularies.load(vocabulary)
    if vocabulary.vocab_size > network.vocab_size:
        raise UserError(
            f"the vocabulary has {vocabulary.vocab_size:,} ids and the network of "
            f"{source.location} {network.vocab_size:,}: expected no more than the network; give "
            "the vocabulary that it was trained with"
        )
    return EncoderDecoderModel(Transformer(network), optimizers.Adafactor(), vocabulary)


def _find_vocabulary(location: str, spec: Any) -> Vocabulary:
    found = beside.vocabulary(location)
    if found is not None:
        return vocabularies.load(found)
    named = f"its vocabulary is '{spec}', which is not beside it" if spec else "none lies beside it"
    raise UserError(
        f"the vocabulary of {location} is not known ({named}): expected {VOCABULARY_FILE} in its "
        f"run's folder; {_HOW_TO_NAME_IT}"
    )
