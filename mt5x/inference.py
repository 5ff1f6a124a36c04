"""Jobs that use a checkpoint without training it: evaluate a mixture, predict texts."""

import dataclasses
from pathlib import Path
from typing import Any

import jax

from mt5x import distributed, input_pipeline, text_files
from mt5x.checkpoints import restore
from mt5x.decoding import GREEDY, DecodeConfig
from mt5x.evaluation import Evaluator, TaskScores
from mt5x.input_pipeline import DatasetConfig
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import Partitioner
from mt5x.predictor import Predictor
from mt5x.progress import Progress


def restore_params(
    model: EncoderDecoderModel, checkpoint_path: str, partitioner: Partitioner
) -> tuple[Any, int]:
    """Returns the parameters of a checkpoint on the mesh, and its step.

    Raises:
      UserError: there is no checkpoint, or it does not fit the model.
    """
    params, step = restore.parameters(checkpoint_path, model, partitioner.mesh)
    distributed.refuse_disagreement(
        {"checkpoint step": step}, "name the checkpoint itself, on a file system that all share"
    )
    return params, step


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
    output_file: str = text_files.PIPE,
    batch_size: int = 32,
    max_decode_length: int = 64,
    decode: DecodeConfig = GREEDY,
    all_decodes: bool = False,
    partitioner: Partitioner = Partitioner(),
) -> None:
    """Decodes the texts of a file.

    Args:
      model: the model, with its vocabulary.
      checkpoint_path: a checkpoint, or a folder of them (the newest is taken).
      input_file: one text a line, or one JSON object with an 'inputs' field; '-' is standard input.
        Of several processes the first one reads it, and writes the output.
      output_file: where the records go as JSON lines, with a 'prediction' and its 'score' in nats;
        '-' is standard output.
      batch_size: texts decoded together.
      max_decode_length: most tokens of a prediction where `decode` names none.
      decode: the decoder.
      all_decodes: write the lists 'predictions' and 'scores', best first.
      partitioner: the mesh.
    """
    records = distributed.from_first(lambda: text_files.read_records(input_file))
    partitioner.check_batch_size(batch_size)
    params, _ = restore_params(model, checkpoint_path, partitioner)
    config = dataclasses.replace(decode, max_length=decode.max_length or max_decode_length)
    predictor = Predictor.of_model(
        model, params, partitioner.mesh, decode=config, batch_size=batch_size
    )
    predict_records(predictor, records, output_file, all_decodes)


def predict_records(
    predictor: Predictor, records: list[dict[str, Any]], output_file: str, all_decodes: bool
) -> None:
    """Decodes the 'inputs' of records, with a progress bar, and writes them with predictions."""
    progress = Progress("predict", len(records), shown=jax.process_index() == 0)
    texts = [record["inputs"] for record in records]
    decodes = predictor.decodes(texts, advance=progress.advance)
    progress.close()
    if jax.process_index() == 0:
        text_files.write_predictions(output_file, records, decodes, all_decodes)
