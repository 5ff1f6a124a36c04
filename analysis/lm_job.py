"""The job behind `mt5x lm-stats`: LM statistics of a checkpoint, language by language."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from analysis.lm_statistics import LmStatistics, measure
from mt5x import config, inference, input_pipeline
from mt5x.checkpoints import formats
from mt5x.errors import UserError
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import Partitioner
from mt5x.progress import Progress
from mt5x.studies.store import Figures

TASK = "mc4_span_corruption.{language}"


def lm_statistics(
    *,
    model: EncoderDecoderModel,
    checkpoint_path: str,
    languages: Sequence[str],
    task_feature_lengths: Mapping[str, int],
    split: str = "validation",
    batch_size: int = 64,
    num_examples: int | None = None,
    partitioner: Partitioner = Partitioner(),
    title: str = "lm-stats",
) -> dict[str, LmStatistics]:
    """Measures how well a checkpoint fills masked spans of each language's text.

    Masks are those of the span corruption tasks, the same at every call.

    Args:
      model: the model.
      checkpoint_path: a checkpoint, or a folder of them (the newest is taken).
      languages: languages with a task `mc4_span_corruption.{language}`.
      task_feature_lengths: {'inputs', 'targets'} of the segments that text is cut into.
      split: the split of the text.
      batch_size: sequences measured together.
      num_examples: at most so many sequences of each language; None takes all.
      partitioner: the mesh.
      title: shown by the progress bar.

    Raises:
      UserError: a task is unknown or has no text, or the checkpoint does not fit the model.
    """
    partitioner.check_batch_size(batch_size)
    names = [TASK.format(language=language) for language in languages]
    examples = {}
    for language, task_name in zip(languages, names, strict=True):
        task = input_pipeline.registered(task_name)
        input_pipeline.check_vocabulary(task_name, model.module.config.vocab_size)
        examples[language] = input_pipeline.evaluation_examples(
            task, split, task_feature_lengths, False, num_examples
        )
        if not examples[language].inputs:
            raise UserError(f"{task_name} has no text in its split {split}: leave {language} out")
    params, _ = inference.restore_params(model, checkpoint_path, partitioner)
    progress = Progress(title, sum(len(one.inputs) for one in examples.values()))
    # All languages in shared batches.
    inputs = [ids for one in examples.values() for ids in one.inputs]
    targets = [ids for one in examples.values() for ids in one.targets]
    rows = batches(inputs, targets, task_feature_lengths, batch_size)
    whole = measure(model.module, params, rows, partitioner.mesh, progress.advance)
    progress.close()
    ends = np.cumsum([len(one.inputs) for one in examples.values()]).tolist()
    return {
        language: whole.part(end - len(one.inputs), end)
        for (language, one), end in zip(examples.items(), ends, strict=True)
    }


def as_stage(title: str) -> Figures:
    """Runs the job as a stage of a study, from the loaded gin config."""
    step = formats.open_source(config.macro("CHECKPOINT_PATH")).step or 0
    return {
        language: {**one.metrics(), "num_examples": one.num_examples, "step": step}
        for language, one in config.call(lm_statistics, title=title).items()
    }


def batches(
    inputs: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
    lengths: Mapping[str, int],
    batch_size: int,
) -> Iterator[dict[str, np.ndarray]]:
    """Yields unpacked batches of one shape; the last is filled up with rows of padding."""
    for start in range(0, len(inputs), batch_size):
        rows = slice(start, start + batch_size)
        target_ids = _padded(targets[rows], batch_size, lengths["targets"])
        shifted = np.zeros_like(target_ids)
        shifted[:, 1:] = target_ids[:, :-1]
        yield {
            "encoder_input_tokens": _padded(inputs[rows], batch_size, lengths["inputs"]),
            "decoder_input_tokens": shifted,
            "decoder_target_tokens": target_ids,
            "decoder_loss_weights": (target_ids > 0).astype(np.int32),
        }


def _padded(rows: Sequence[np.ndarray], count: int, length: int) -> np.ndarray:
    """Returns int32 [count, length], padded with 0."""
    array = np.zeros((count, length), np.int32)
    for number, row in enumerate(rows):
        array[number, : len(row)] = row
    return array
