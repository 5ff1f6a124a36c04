"""The job behind `mt5x lm-stats`: LM statistics of a checkpoint, language by language."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from analysis import hidden_text
from analysis.lm_statistics import LmStatistics, measure
from mt5x import config, inference, input_pipeline
from mt5x.checkpoints import formats
from mt5x.errors import UserError
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import Partitioner
from mt5x.progress import Progress
from mt5x.run_record import environment
from mt5x.studies.results import HIGH, LOW, ResultRow
from mt5x.studies.store import Figures

TASK = "mc4_span_corruption.{language}"
_LANGUAGE = "{language}"


def lm_statistics(
    *,
    model: EncoderDecoderModel,
    checkpoint_path: str,
    languages: Sequence[str],
    task_feature_lengths: Mapping[str, int],
    task: str = TASK,
    split: str = "validation",
    batch_size: int = 64,
    num_examples: int | None = None,
    seed: int | None = None,
    partitioner: Partitioner = Partitioner(),
    title: str = "lm-stats",
) -> dict[str, LmStatistics]:
    """Measures how well a checkpoint fills masked spans of each language's text.

    Args:
      model: the model.
      checkpoint_path: a checkpoint, or a folder of them (the newest is taken).
      languages: languages with a task of that name.
      task_feature_lengths: {'inputs', 'targets'} of the segments that text is cut into.
      task: SeqIO task of a language's text, '{language}': span corruption of any data, or another
        task of inputs and targets, whose targets are then what is measured.
      split: the split of the text.
      batch_size: sequences measured together.
      num_examples: at most so many sequences of each language; None takes all.
      partitioner: the mesh.
      seed: of the masks; None is that of every evaluation. The same seed gives the same masks.
      title: shown by the progress bar.

    Raises:
      UserError: a task is unknown or has no text, or the checkpoint does not fit the model.
    """
    partitioner.check_batch_size(batch_size)
    if _LANGUAGE not in task:
        raise UserError(f"TASK={task} must hold {_LANGUAGE} where its languages' names differ")
    names = [task.format(language=language) for language in languages]
    examples = {}
    for language, task_name in zip(languages, names, strict=True):
        registered = input_pipeline.registered(task_name)
        input_pipeline.check_vocabulary(task_name, model.module.config.vocab_size)
        examples[language] = input_pipeline.evaluation_examples(
            registered, split, task_feature_lengths, False, num_examples, seed
        )
        if not examples[language].inputs:
            raise UserError(f"{task_name} has no text in its split {split}: leave {language} out")
    params, _ = inference.restore_params(model, checkpoint_path, partitioner)
    progress = Progress(title, sum(len(one.inputs) for one in examples.values()))
    # All languages in shared batches.
    inputs = [ids for one in examples.values() for ids in one.inputs]
    targets = [ids for one in examples.values() for ids in one.targets]
    vocabulary = input_pipeline.registered(names[0]).output_features["targets"].vocabulary
    marks = hidden_text.marks(vocabulary)
    rows = batches(inputs, targets, task_feature_lengths, batch_size, marks)
    whole = measure(model.module, params, rows, partitioner.mesh, progress.advance)
    progress.close()
    ends = np.cumsum([len(one.inputs) for one in examples.values()]).tolist()
    return {
        language: hidden_text.counted(
            whole.part(end - len(one.inputs), end), one, vocabulary, marks
        )
        for (language, one), end in zip(examples.items(), ends, strict=True)
    }


def as_stage(title: str) -> Figures:
    """Runs the job as a stage of a study, from the loaded gin config."""
    step = formats.open_source(config.macro("CHECKPOINT_PATH")).step or 0
    return {
        language: {
            **one.metrics(),
            **one.intervals(),
            "num_examples": one.num_examples,
            "step": step,
        }
        for language, one in config.call(lm_statistics, title=title).items()
    }


def rows(figures: Figures) -> list[ResultRow]:
    """Returns the result rows of what `as_stage` measured, from the same gin config."""
    record = {**environment(), "checkpoint": config.macro("CHECKPOINT_PATH")}
    task = str(config.macro("TASK", TASK)).replace(f".{_LANGUAGE}", "").replace(_LANGUAGE, "")
    return [
        ResultRow(
            study="lm-stats",
            stage="lm_statistics",
            seed=config.macro("MASK_SEED") or 0,
            task=task,
            source=None,
            target=language,
            split=config.macro("SPLIT", "validation"),
            metric=metric,
            value=one[metric],
            num_examples=int(one["num_examples"]),
            step=int(one["step"]),
            provenance=record,
            low=one.get(metric + LOW),
            high=one.get(metric + HIGH),
        )
        for language, one in figures.items()
        for metric in one
        if metric.startswith("lm_") and not metric.endswith((LOW, HIGH))
    ]


def batches(
    inputs: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
    lengths: Mapping[str, int],
    batch_size: int,
    marks: Sequence[int] = (),
) -> Iterator[dict[str, np.ndarray]]:
    """Yields unpacked batches of one shape; the last is filled up with rows of padding.

    Args:
      inputs, targets: token ids of each sequence.
      lengths: of the rows.
      batch_size: rows.
      marks: ids that are no text: sentinels and the end token.
    """
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
            "decoder_text_weights": (~np.isin(target_ids, (0, *marks))).astype(np.int32),
        }


def _padded(rows: Sequence[np.ndarray], count: int, length: int) -> np.ndarray:
    """Returns int32 [count, length], padded with 0."""
    array = np.zeros((count, length), np.int32)
    for number, row in enumerate(rows):
        array[number, : len(row)] = row
    return array
