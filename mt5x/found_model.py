"""The model of a checkpoint, from the checkpoint and from what lies beside it; no gin, no tasks.

The sizes are those of the parameters. What no parameter tells is read from the run's config.gin,
where there is one: the activation functions, the type of the activations, the vocabulary.
"""

import ast
import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from mt5x import config, optimizers, vocabularies
from mt5x.checkpoints import formats, storage
from mt5x.checkpoints.architecture import config_of
from mt5x.errors import UserError
from mt5x.model import T5Config, Transformer
from mt5x.models import EncoderDecoderModel
from mt5x.run_record import VOCABULARY_FILE
from mt5x.vocabularies import Vocabulary

# Ours, and Hugging Face's.
_VOCABULARY_FILES = (VOCABULARY_FILE, "spiece.model")
_SAMPLE_MODEL = "sample_vocabulary/sentencepiece.model"
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
    folders = (source.location, source.location.rstrip("/").rpartition("/")[0] or ".")
    gin = _bindings(folders)
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
        vocabulary = _find_vocabulary(folders, gin)
    elif isinstance(vocabulary, str | os.PathLike):
        vocabulary = vocabularies.load(vocabulary)
    if vocabulary.vocab_size > network.vocab_size:
        raise UserError(
            f"the vocabulary has {vocabulary.vocab_size:,} ids and the network of "
            f"{source.location} {network.vocab_size:,}: expected no more than the network; give "
            "the vocabulary that it was trained with"
        )
    return EncoderDecoderModel(Transformer(network), optimizers.Adafactor(), vocabulary)


def _bindings(folders: tuple[str, ...]) -> dict[str, Any]:
    """Macros, and arguments as 'Class.argument', of the config.gin beside a checkpoint."""
    for folder in folders:
        text = storage.read_bytes(folder, "config.gin")
        if text is not None:
            bound = config.bindings_of(text.decode("utf-8"))
            return {
                ".".join(name.split(".")[-2:]): _value(value, bound)
                for name, value in bound.items()
            }
    return {}


def _value(text: str, bound: dict[str, str]) -> Any:
    """A gin value that is a literal, or a macro of one; None for what is neither."""
    seen = set()
    while text.startswith("%") and text not in seen:
        seen.add(text)
        text = bound.get(text[1:], "None")
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return None


def _find_vocabulary(folders: tuple[str, ...], gin: dict[str, Any]) -> Vocabulary:
    for folder in folders:
        for name in _VOCABULARY_FILES:
            if storage.exists(folder, name):
                return vocabularies.load(f"{folder.rstrip('/')}/{name}")
        tokenizer = storage.read_bytes(folder, "tokenizer_config.json")
        if tokenizer and json.loads(tokenizer).get("tokenizer_class") == "ByT5Tokenizer":
            return vocabularies.load(vocabularies.BYTES)
    spec = gin.get("VOCABULARY")
    if isinstance(spec, str):
        if spec == vocabularies.BYTES:
            return vocabularies.load(spec)
        path = spec.partition(":")[2] if spec.startswith(("mt5:", "umt5:")) else spec
        if spec == "sample" and os.environ.get("TFDS_DATA_DIR"):
            path = f"{os.environ['TFDS_DATA_DIR']}/{_SAMPLE_MODEL}"
        if path.endswith(".model"):
            return vocabularies.load(path)
    named = f"its vocabulary is '{spec}', which is not beside it" if spec else "none lies beside it"
    raise UserError(
        f"the vocabulary of {folders[0]} is not known ({named}): expected {VOCABULARY_FILE} in its "
        f"run's folder; {_HOW_TO_NAME_IT}"
    )
