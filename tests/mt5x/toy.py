"""Toy tasks under the byte vocabulary: enough for the engine's tests, without any data set."""

import dataclasses
import os
import time
from collections.abc import Callable
from typing import Any

import jax
import seqio
import tensorflow as tf

from mt5x import optimizers
from mt5x.input_pipeline import DatasetConfig
from mt5x.model import T5Config, Transformer
from mt5x.models import EncoderDecoderModel

LANGUAGES = ("aa", "bb")
LABELS = ("no", "yes")
VOCABULARY = seqio.ByteVocabulary()
LENGTHS = {"inputs": 24, "targets": 8}


def _texts(split: str, shuffle_files: bool = False, seed: int | None = None) -> tf.data.Dataset:
    count = {"train": 64, "validation": 13}[split]
    inputs = [f"is {number:03} even" for number in range(count)]
    targets = [LABELS[number % 2 == 0] for number in range(count)]
    return tf.data.Dataset.from_tensor_slices({"inputs": inputs, "targets": targets})


def accuracy(targets: list[str], predictions: list[str]) -> dict[str, float]:
    hits = sum(a == b for a, b in zip(targets, predictions, strict=True))
    return {"accuracy": 100.0 * hits / len(targets)}


def register() -> None:
    """Registers toy_train, toy_eval.aa, toy_eval.bb and the mixture toy_zeroshot, once."""
    if "toy_zeroshot" in seqio.MixtureRegistry.names():
        return
    names = ["toy_train", *(f"toy_eval.{language}" for language in LANGUAGES)]
    for name in names:
        split = "train" if name == "toy_train" else "validation"
        seqio.TaskRegistry.add(
            name,
            source=seqio.FunctionDataSource(dataset_fn=_texts, splits=(split,)),
            preprocessors=[
                seqio.preprocessors.tokenize,
                seqio.preprocessors.append_eos,
            ],
            output_features={
                "inputs": seqio.Feature(VOCABULARY),
                "targets": seqio.Feature(VOCABULARY),
            },
            metric_fns=[accuracy],
        )
    seqio.MixtureRegistry.add("toy_zeroshot", names, default_rate=1.0)


def labels_of(task: str) -> tuple[str, ...]:
    return LABELS


def model(**changes: Any) -> EncoderDecoderModel:
    """A one-layer network over the byte vocabulary."""
    config = T5Config(
        vocab_size=384,
        emb_dim=16,
        num_heads=2,
        num_encoder_layers=1,
        num_decoder_layers=1,
        head_dim=8,
        mlp_dim=32,
        dropout_rate=0.1,
    )
    settings: dict[str, Any] = {"loss_normalizing_factor": "NUM_REAL_TARGET_TOKENS", **changes}
    return EncoderDecoderModel(Transformer(config), optimizers.Adafactor(), VOCABULARY, **settings)


def dataset(**changes: Any) -> DatasetConfig:
    base = DatasetConfig("toy_zeroshot", LENGTHS, "train", 8, shuffle=True, pack=True)
    return dataclasses.replace(base, **changes)


def slow_rate() -> Callable[[int], float]:
    """A constant learning rate, after TOY_SECONDS_PER_STEP, in which something can happen.

    At TOY_FAILS_AT_STEP the second process fails.
    """
    seconds = float(os.environ.get("TOY_SECONDS_PER_STEP", "0"))
    fails = os.environ.get("TOY_FAILS_AT_STEP")

    def rate(step: int) -> float:
        time.sleep(seconds)
        if fails == str(step) and jax.process_index() == 1:
            raise RuntimeError("a defect of one process")
        return 0.01

    return rate
