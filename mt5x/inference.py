"""Jobs that use a checkpoint without training it: evaluate a mixture, predict texts."""

import json
import sys
from pathlib import Path
from typing import Any

from mt5x import input_pipeline, run_record, train_state
from mt5x.checkpoints import native
from mt5x.errors import UserError
from mt5x.evaluation import Evaluator, TaskScores
from mt5x.input_pipeline import DatasetConfig
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import Partitioner
from mt5x.prediction import predict_texts


def restore_params(
    model: EncoderDecoderModel, checkpoint_path: str, partitioner: Partitioner
) -> tuple[Any, int]:
    """Returns the parameters of a checkpoint on the mesh, and its step.

    Raises:
      UserError: there is no checkpoint, or it does not fit the model.
    """
    checkpoint = native.find(checkpoint_path)
    shapes = train_state.abstract_state(model)
    shardings = train_state.state_shardings(model, partitioner.mesh)
    state = native.restore(checkpoint, shapes, shardings)
    return state.params, int(state.step)


def evaluate(
    *,
    model: EncoderDecoderModel,
    checkpoint_path: str,
    dataset_cfg: DatasetConfig,
    output_dir: str | None = None,
    evaluator: Evaluator = Evaluator(),
    partitioner: Partitioner = Partitioner(),
    title: str = "evaluate",
) -> list[TaskScores]:
    """Scores a checkpoint on every task of a mixture.

    Args:
      model: the model.
      checkpoint_path: a checkpoint, or a folder of them (the newest is taken).
      dataset_cfg: the mixture and split.
      output_dir: where predictions and metrics go; None keeps nothing.
      evaluator: how to evaluate.
      partitioner: the mesh.
      title: shown by the progress bar.
    """
    name = dataset_cfg.mixture_or_task_name
    input_pipeline.tasks_with_split(name, dataset_cfg.split)
    input_pipeline.check_vocabulary(name, model.module.config.vocab_size)
    params, step = restore_params(model, checkpoint_path, partitioner)
    where = None if output_dir is None else Path(output_dir)
    return evaluator.evaluate(model, params, partitioner.mesh, dataset_cfg, where, step, title)


def predict(
    *,
    model: EncoderDecoderModel,
    checkpoint_path: str,
    input_file: str,
    output_file: str | None = None,
    batch_size: int = 32,
    max_decode_length: int = 64,
    partitioner: Partitioner = Partitioner(),
) -> None:
    """Decodes the texts of a file.

    Args:
      model: the model, with its vocabulary.
      checkpoint_path: a checkpoint, or a folder of them (the newest is taken).
      input_file: one text a line, or one JSON object with an 'inputs' field.
      output_file: where {'inputs', 'prediction'} go as JSON lines; None prints them.
      batch_size: texts decoded together.
      max_decode_length: most tokens of a prediction.
      partitioner: the mesh.
    """
    texts = _read_texts(input_file)
    partitioner.check_batch_size(batch_size)
    params, _ = restore_params(model, checkpoint_path, partitioner)
    vocabulary = model.vocabulary
    inputs = [[*vocabulary.encode(text), vocabulary.eos_id] for text in texts]
    predictions = predict_texts(
        model, params, partitioner.mesh, inputs, vocabulary, batch_size, max_decode_length
    )
    lines = "".join(
        json.dumps({"inputs": text, "prediction": prediction}, ensure_ascii=False) + "\n"
        for text, prediction in zip(texts, predictions, strict=True)
    )
    if output_file is None:
        sys.stdout.write(lines)
    else:
        run_record.write_whole(Path(output_file), lines)


def _read_texts(input_file: str) -> list[str]:
    try:
        lines = Path(input_file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {input_file}: {error}") from error
    texts = []
    for number, line in enumerate(lines, start=1):
        if not line.startswith("{"):
            texts.append(line)
            continue
        try:
            texts.append(str(json.loads(line)["inputs"]))
        except (json.JSONDecodeError, KeyError) as error:
            raise UserError(
                f"{input_file}, line {number}: expected a text or a JSON object with an "
                f"'inputs' field ({error})"
            ) from error
    if not texts:
        raise UserError(f"{input_file} has no lines")
    return texts
