"""`mt5x benchmark startup`: commands from nothing to their end, a process each."""

import argparse
from typing import Any

from scripts.benchmarks import arguments

SUMMARY = "how long --help and a training run of one step take, with and without compiled programs"

EXAMPLES = """\
  mt5x benchmark startup
  mt5x benchmark startup --model byt5_small
"""

_ROW = {"sentence1": "one two three four", "sentence2": "two three four one", "label": 1}
_WITHOUT = "nothing kept compiled"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_model(parser, "mt5_tiny")


def run(args: argparse.Namespace) -> list[Any]:
    """Measures `--help`, then the second start of a run beside a start without the cache."""
    import tempfile
    from pathlib import Path

    from mt5x import config
    from mt5x.benchmarks import start_up
    from mt5x.benchmarks.measurement import OURS, Measurement
    from mt5x.cache_folder import VARIABLE
    from tasks import tfds_writer

    configs = config.INSTALLATION_ROOT / "t5x_configs"
    with tempfile.TemporaryDirectory(prefix="mt5x_start_") as place:
        folder = Path(place)
        tfds_writer.write_dataset("paws_x_wiki/en:1.0.0", {"train": [_ROW] * 64}, folder)
        help_ = start_up.measure({OURS: ["scripts.main", "--help"]}, {OURS: {}}, args.repeats)
        macros = {
            "MIXTURE_OR_TASK_NAME": "pawsx_train.en",
            "TASK_FEATURE_LENGTHS": "{'inputs': 64, 'targets': 32}",
            "VOCABULARY": "byt5",
            "VOCAB_SIZE": "384",
            "BATCH_SIZE": "8",
            "TRAIN_STEPS": "1",
            "EVAL_PERIOD": "0",
            "INITIAL_CHECKPOINT_PATH": "None",
            "TENSORBOARD": "False",
        }
        caches = {OURS: str(folder / "cache"), _WITHOUT: "off"}
        runs = {variant: folder / f"run_{number}" for number, variant in enumerate(caches)}
        train = {
            variant: [
                "scripts.main",
                "train",
                f"--gin_file={configs}/models/{args.model}.gin",
                f"--gin_file={configs}/runs/finetune.gin",
                f"--tfds_data_dir={folder}",
                f"--gin.MODEL_DIR={runs[variant]}",
                *(f"--gin.{name}={value}" for name, value in macros.items()),
            ]
            for variant in caches
        }
        environments = {variant: {VARIABLE: cache} for variant, cache in caches.items()}
        first_step = start_up.measure(train, environments, args.repeats, runs)
    case = f"mt5x train, {args.model}, one step and its checkpoint"
    return [
        Measurement("mt5x --help", OURS, help_[OURS]),
        *(Measurement(case, variant, seconds) for variant, seconds in first_step.items()),
    ]
