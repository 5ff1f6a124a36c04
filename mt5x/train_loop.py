"""Training, as ordered phases: open, restore, train, evaluate, save."""

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp

from mt5x import (
    batch_stream,
    compiled_ahead,
    input_pipeline,
    run_record,
    run_start,
    steps,
    stopped_run,
)
from mt5x.anomaly import SpikeRule
from mt5x.batch_stream import Skipped
from mt5x.checkpoints.best import KeepBest, Selection
from mt5x.checkpoints.restore import RestoreConfig
from mt5x.checkpoints.saving import CheckpointDirectory
from mt5x.curve import Curve
from mt5x.early_stopping import EarlyStopping
from mt5x.errors import UserError
from mt5x.evaluation import Evaluator
from mt5x.input_pipeline import DatasetConfig
from mt5x.interruption import Interrupted, StopRequest
from mt5x.metrics_log import MetricsLog
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import Partitioner
from mt5x.periodic_evaluation import PeriodicEvaluation
from mt5x.progress import Progress
from mt5x.throughput import Throughput


@dataclasses.dataclass(frozen=True)
class CheckpointConfig:
    """What to start from, and what to save.

    Attributes:
      initial_path: a checkpoint to start from (ours, T5X's or Hugging Face's), or a folder of
        them; None starts afresh.
      period: steps between saves; the last step is always saved.
      keep: how many of the newest to keep; None keeps all.
      keep_best: which one to keep beside them. Every step that is evaluated is saved then.
      restore: what to take from `initial_path`.
    """

    initial_path: str | None = None
    period: int = 1000
    keep: int | None = None
    keep_best: KeepBest = dataclasses.field(default_factory=KeepBest)
    restore: RestoreConfig = dataclasses.field(default_factory=RestoreConfig)

    def __post_init__(self) -> None:
        """Refuses to keep none."""
        if self.keep is not None and self.keep < 1:
            raise UserError(
                f"CHECKPOINTS_TO_KEEP={self.keep} must be 1 or more, or None to keep all"
            )


@dataclasses.dataclass(frozen=True)
class TrainResult:
    """Where a training run ended.

    Attributes:
      checkpoint: the last one.
      step: its step.
      best: the one that CheckpointConfig.keep_best chose; None if nothing chose.
      stopped_early: why it ended before its last step; None if it did not.
    """

    checkpoint: Path
    step: int
    best: Path | None = None
    stopped_early: str | None = None


def train(
    *,
    model: EncoderDecoderModel,
    model_dir: str,
    train_dataset_cfg: DatasetConfig,
    learning_rate_fn: Callable[[int], float],
    total_steps: int | None,
    relative_steps: int | None = None,
    infer_eval_dataset_cfg: DatasetConfig | None = None,
    train_eval_dataset_cfg: DatasetConfig | None = None,
    evaluator: Evaluator | None = None,
    checkpoint_cfg: CheckpointConfig = CheckpointConfig(),
    early_stopping: EarlyStopping = EarlyStopping(),
    loss_spikes: SpikeRule = SpikeRule(),
    skip_batches: Sequence[int | Sequence[int]] = (),
    partitioner: Partitioner = Partitioner(),
    num_microbatches: int = 1,
    eval_period: int = 1000,
    eval_steps: int = 20,
    log_period: int = 50,
    random_seed: int = 0,
    tensorboard: bool = True,
    title: str = "train",
) -> TrainResult:
    """Trains, or resumes the run that `model_dir` holds.

    Args:
      model: network, optimizer and loss.
      model_dir: folder of the run: checkpoints, metrics, the record.
      train_dataset_cfg: what to train on.
      learning_rate_fn: maps the step to the learning rate.
      total_steps: last step, steps of the initial checkpoint included (T5X's TRAIN_STEPS).
      relative_steps: instead: steps to do on top of the initial checkpoint.
      infer_eval_dataset_cfg: what to evaluate with the tasks' metrics; None does not.
      train_eval_dataset_cfg: what to measure the teacher-forced loss on; None does not.
      evaluator: how to evaluate.
      checkpoint_cfg: what to start from and what to save.
      early_stopping: what ends the run before its last step.
      loss_spikes: what loss stops it as gone wrong.
      skip_batches: numbers of batches of the data, and (first, last) pairs, to leave out.
      partitioner: the mesh.
      num_microbatches: parts that a batch is computed in, one after another, to need less memory.
      eval_period: steps between evaluations; 0 evaluates never.
      eval_steps: batches of each task in a teacher-forced evaluation; 0 skips it.
      log_period: steps between entries of metrics.jsonl.
      random_seed: of initialisation, shuffling and dropout.
      tensorboard: also write TensorBoard files.
      title: shown by the progress bar.

    Raises:
      UserError: something in the config does not fit, and nothing was trained; or the run went
        wrong, and its last good checkpoint is named.
      Interrupted: SIGTERM or SIGINT came; the state is saved.
    """
    # All that can be wrong is found before the first file is written.
    run = Path(model_dir).absolute()
    mesh = partitioner.mesh
    partitioner.check_batch_size(train_dataset_cfg.batch_size, num_microbatches)
    name = train_dataset_cfg.mixture_or_task_name
    input_pipeline.tasks_with_split(name, train_dataset_cfg.split)
    input_pipeline.check_vocabulary(name, model.module.config.vocab_size)
    if log_period < 1:
        raise UserError(f"LOG_PERIOD={log_period} must be 1 step or more")
    evaluator = evaluator or Evaluator()
    skipped = Skipped.of(skip_batches)
    scored = infer_eval_dataset_cfg if eval_period else None
    teacher_forced = train_eval_dataset_cfg if eval_period and eval_steps else None
    early_stopping.check(evaluator, scored, teacher_forced, train_dataset_cfg)
    keep_best = checkpoint_cfg.keep_best
    keep_best.check(evaluator, scored, teacher_forced, train_dataset_cfg)
    run_record.refuse_other_config(run)
    # Of several processes each would compile at its own time; not tried.
    alone = jax.process_count() == 1
    shapes = input_pipeline.batch_shapes(train_dataset_cfg) if alone else None
    compiling = shapes and compiled_ahead.compile_train_step(model, mesh, num_microbatches, shapes)
    begun = run_start.begin(
        run, model, mesh, train_dataset_cfg, random_seed, skipped,
        checkpoint_cfg.initial_path, checkpoint_cfg.restore,
    )  # fmt: skip
    state, step, position = begun.state, begun.step, begun.position
    start = position.first_step
    model.optimizer_def.check_start(start)
    last = run_start.last_step(total_steps, relative_steps, start)
    batches = batch_stream.numbered(input_pipeline.training_batches(
        train_dataset_cfg, random_seed, position.batches,
        rows=steps.rows_here(mesh, train_dataset_cfg.batch_size),
    ), position.batches, skipped)  # fmt: skip
    batch = next(batches) if step < last else None
    placed = batch and steps.place(batch.features, mesh)
    if compiling:
        compiling.join()

    run_record.open_run(run, model, mesh, start)
    with contextlib.ExitStack() as closing:
        # First of all: it tells what is on the disk when the others are closed.
        closing.enter_context(stopped_run.explained(run, model.vocabulary))
        checkpoints = CheckpointDirectory(run, checkpoint_cfg.keep)
        closing.callback(checkpoints.close)
        log = MetricsLog(run, step, tensorboard)
        closing.callback(log.close)
        progress = Progress(title, last - start, step - start, shown=jax.process_index() == 0)
        closing.callback(progress.close)
        skips_nan = getattr(model.optimizer_def, "skip_nan_updates", False)
        throughput = Throughput(model.module.config, mesh.devices.flatten().tolist(), model.freeze)
        curve = Curve(log, progress, throughput, log_period, loss_spikes, skips_nan)
        evaluate = PeriodicEvaluation(
            model, mesh, evaluator, scored, teacher_forced,
            eval_period, eval_steps, run / "inference_eval", log,
        )  # fmt: skip
        rule = keep_best.rule(scored, teacher_forced)
        ended_by = early_stopping.rule(scored, teacher_forced)
        selection = Selection(run, keep_best, rule, checkpoints, log.history, ended_by)
        train_step = steps.train_step(model, mesh, num_microbatches)
        dropout_key = jax.random.key(random_seed)
        stop = closing.enter_context(StopRequest())
        if step > start and evaluate.was_cut_off(step, last):
            evaluate(state, step)
        best = selection.update()
        ended = early_stopping.verdict(log.history)
        while step < last and ended is None:
            assert batch is not None
            rate = jnp.float32(learning_rate_fn(step))
            state, metrics = train_step(state, placed, dropout_key, rate)
            used, step = batch, step + 1
            if step < last:
                # While the device is at work.
                batch = next(batches)
                placed = steps.place(batch.features, mesh)
            curve.add(step, metrics, float(rate), used)
            position = dataclasses.replace(position, batches=used.number + 1)
            stopping = stop.agreed()
            evaluating = evaluate.is_due(step, last)
            period = checkpoint_cfg.period
            due = step == last or (period and step % period == 0)
            if due or stopping or (evaluating and selection.by_figure):
                # Nothing is saved whose loss was not looked at. The last steps' entry comes before
                # that of their evaluation, which is the last of a log.
                if step == last:
                    curve.finish()
                else:
                    curve.flush()
                checkpoints.save(state, step, position)
            if stopping and step < last:
                checkpoints.wait()
                raise Interrupted(f"stopped and saved at step {step}; run again to go on")
            if evaluating:
                curve.flush()
                evaluate(state, step)
                best = selection.update()
                ended = early_stopping.verdict(log.history)
                if ended is not None:
                    checkpoints.save(state, step, position)
        curve.finish()
        checkpoints.wait()
        selection.finish(step)
    return TrainResult(run / f"checkpoint_{step}", step, best, ended if step < last else None)
