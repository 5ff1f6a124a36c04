"""What lies beside a checkpoint and is no part of it: its run's settings and its vocabulary.

In a run's folder, around its checkpoints: config.gin and sentencepiece.model. In a folder of
Hugging Face: spiece.model, or a tokenizer_config.json that names ByT5's tokenizer. `mt5x convert`
puts the latter or sentencepiece.model into the checkpoint's own folder.
"""

import ast
import json
import os
from pathlib import Path
from typing import Any

from mt5x import config, vocabularies
from mt5x.checkpoints import storage
from mt5x.run_record import VOCABULARY_FILE

_SPIECE_FILE, _TOKENIZER_FILE = "spiece.model", "tokenizer_config.json"
_BYTE_TOKENIZER = "ByT5Tokenizer"
_SAMPLE_MODEL = "sample_vocabulary/sentencepiece.model"
_SPECIAL_TOKENS = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


def run_settings(location: str) -> dict[str, Any]:
    """Macros, and arguments as 'Class.argument', of the config.gin beside a checkpoint.

    A value that is no literal is None; without a config.gin there are none.
    """
    for folder in _folders(location):
        text = storage.read_bytes(folder, "config.gin")
        if text is not None:
            bound = config.bindings_of(text.decode("utf-8"))
            return {
                ".".join(name.split(".")[-2:]): _value(value, bound)
                for name, value in bound.items()
            }
    return {}


def vocabulary(location: str) -> str | None:
    """What `vocabularies.load` reads a checkpoint's vocabulary from; None if none is known."""
    for folder in _folders(location):
        for name in (VOCABULARY_FILE, _SPIECE_FILE):
            if storage.exists(folder, name):
                return f"{folder.rstrip('/')}/{name}"
        tokenizer = storage.read_bytes(folder, _TOKENIZER_FILE)
        if tokenizer and json.loads(tokenizer).get("tokenizer_class") == _BYTE_TOKENIZER:
            return vocabularies.BYTES
    named = run_settings(location).get("VOCABULARY")
    if not isinstance(named, str) or named == vocabularies.BYTES:
        return named
    path = named.partition(":")[2] if named.startswith(("mt5:", "umt5:")) else named
    if named == "sample" and os.environ.get("TFDS_DATA_DIR"):
        path = f"{os.environ['TFDS_DATA_DIR']}/{_SAMPLE_MODEL}"
    return path if path.endswith(".model") else None


def copy_vocabulary(source: str, folder: Path, to: str) -> str | None:
    """Writes a checkpoint's vocabulary into the folder of a new one.

    Args:
      source: the checkpoint that has it beside.
      folder: where to write.
      to: the new checkpoint's format; in 'huggingface' the files are those that transformers'
        `AutoTokenizer` reads.

    Returns:
      The name of the file that holds it; None where the source's vocabulary is not known or not
      there.
    """
    spec = vocabulary(source)
    if spec is None:
        return None
    if spec == vocabularies.BYTES:
        # 125 sentinels fill the rows from 259 to 384, as those of the public ByT5.
        _write_json(
            folder / _TOKENIZER_FILE, {"tokenizer_class": _BYTE_TOKENIZER, "extra_ids": 125}
        )
        return _TOKENIZER_FILE
    parent, _, name = spec.rpartition("/")
    model = storage.read_bytes(parent or ".", name)
    if model is None:
        return None
    hugging_face = to == "huggingface"
    written = _SPIECE_FILE if hugging_face else VOCABULARY_FILE
    (folder / written).write_bytes(model)
    if hugging_face:
        # The sentinels are pieces of the file already, where they are part of the vocabulary.
        tokenizer = {"tokenizer_class": "T5Tokenizer", "extra_ids": 0, **_SPECIAL_TOKENS}
        _write_json(folder / _TOKENIZER_FILE, tokenizer)
    return written


def _folders(location: str) -> tuple[str, str]:
    """The checkpoint's own, and the one around it."""
    return location, location.rstrip("/").rpartition("/")[0] or "."


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


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
