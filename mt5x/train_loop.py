"""Training, as ordered phases: open, restore, train, evaluate, save."""

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from mt5x import distributed, input_pipeline, run_record, steps, train_state
from mt5x.checkpoints import native
from mt5x.checkpoints.restore import RestoreConfig, initial_state
from mt5x.checkpoints.saving import CheckpointDirectory
from mt5x.curve import Curve
from mt5x.errors import UserError
from mt5x.evaluation import Evaluator
from mt5x.input_pipeline import DatasetConfig
from mt5x.interruption import Interrupted, StopRequest
from mt5x.metrics_log import MetricsLog
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import Partitioner
from mt5x.periodic_evaluation import PeriodicEvaluation
from mt5x.progress import Progress
from mt5x.train_state import TrainState


@dataclasses.dataclass(frozen=True)
class CheckpointConfig:
    """What to start from, and what to save.

    Attributes:
      initial_path: a checkpoint to start from (ours, T5X's or Hugging Face's), or a folder of
        them; None starts afresh.
      period: steps between saves; the last step is always saved.
      keep: how many of the newest to keep; None keeps all.
      restore: what to take from `initial_path`.
    """

    initial_path: str | None = None
    period: int = 1000
    keep: int | None = None
    restore: RestoreConfig = dataclasses.field(default_factory=RestoreConfig)


@dataclasses.dataclass(frozen=True)
class TrainResult:
    """Where a training run ended."""

    checkpoint: Path
    step: int


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
      partitioner: the mesh.
      num_microbatches: parts that a batch is computed in, one after another, to need less memory.
      eval_period: steps between evaluations; 0 evaluates never.
      eval_steps: batches of each task in a teacher-forced evaluation; 0 skips it.
      log_period: steps between entries of metrics.jsonl.
      random_seed: of initialisation, shuffling and dropout.
      tensorboard: also write TensorBoard files.
      title: shown by the progress bar.

    Raises:
      UserError: something in the config does not fit; nothing was trained.
      Interrupted: SIGTERM or SIGINT came; the state is saved.
    """
    # All that can be wrong is found before the first file is written.
    run = Path(model_dir).absolute()
    mesh = partitioner.mesh
    partitioner.check_batch_size(train_dataset_cfg.batch_size, num_microbatches)
    name = train_dataset_cfg.mixture_or_task_name
    input_pipeline.tasks_with_split(name, train_dataset_cfg.split)
    input_pipeline.check_vocabulary(name, model.module.config.vocab_size)
    run_record.refuse_other_config(run)
    state, start = _restore_or_initialise(model, mesh, run, checkpoint_cfg, random_seed)
    step = int(state.step)
    last = _last_step(total_steps, relative_steps, start)
    batches = input_pipeline.training_batches(
        train_dataset_cfg, random_seed, step - start,
        rows=steps.rows_here(mesh, train_dataset_cfg.batch_size),
    )  # fmt: skip
    batch = next(batches) if step < last else None

    run_record.open_run(run, model, mesh, start)
    with contextlib.ExitStack() as closing:
        checkpoints = CheckpointDirectory(run, checkpoint_cfg.keep)
        closing.callback(checkpoints.close)
        log = MetricsLog(run, step, tensorboard)
        closing.callback(log.close)
        progress = Progress(title, last - start, step - start)
        closing.callback(progress.close)
        curve = Curve(log, progress, log_period)
        evaluate = PeriodicEvaluation(
            model, mesh, evaluator or Evaluator(), infer_eval_dataset_cfg, train_eval_dataset_cfg,
            eval_steps, run / "inference_eval", log,
        )  # fmt: skip
        train_step = steps.train_step(model, mesh, num_microbatches)
        dropout_key = jax.random.key(random_seed)
        stop = closing.enter_context(StopRequest())
        while step < last:
            assert batch is not None
            rate = jnp.float32(learning_rate_fn(step))
            state, metrics = train_step(state, steps.place(batch, mesh), dropout_key, rate)
            step += 1
            if step < last:
                # While the device is at work.
                batch = next(batches)
            curve.add(step, metrics, float(rate))
            stopping = stop.agreed()
            period = checkpoint_cfg.period
            if step == last or stopping or (period and step % period == 0):
                # Nothing is saved whose loss was not looked at.
                curve.flush()
                checkpoints.save(state, step)
            if stopping and step < last:
                raise Interrupted(f"stopped and saved at step {step}; run again to go on")
            if eval_period and (step % eval_period == 0 or step == last):
                curve.flush()
                evaluate(state, step)
        curve.flush()
    return TrainResult(run / f"checkpoint_{step}", step)


def _restore_or_initialise(
    model: EncoderDecoderModel, mesh: Mesh, run: Path, config: CheckpointConfig, seed: int
) -> tuple[TrainState, int]:
    """Returns the state to go on from, and the step at which this run began."""
    shapes = train_state.abstract_state(model)
    shardings = train_state.state_shardings(model, mesh)
    newest = native.newest(run)
    distributed.refuse_disagreement(
        {"newest checkpoint": newest}, "set MODEL_DIR to a folder that all of them share"
    )
    if newest is not None:
        return native.restore(newest, shapes, shardings), run_record.initial_step(run)
    if config.initial_path is None:
        state = train_state.init_state(model, mesh, seed)
    else:
        state = initial_state(config.initial_path, model, mesh, seed, config.restore)
    return state, int(state.step)


def _last_step(total_steps: int | None, relative_steps: int | None, start: int) -> int:
    if (total_steps is None) == (relative_steps is None):
        raise UserError("set one of TRAIN_STEPS and TRAIN_STEPS_RELATIVE, and leave the other None")
    last = start + relative_steps if relative_steps is not None else total_steps
    assert last is not None
    if last <= start and start:
        raise UserError(
            f"TRAIN_STEPS={last} is not beyond the initial checkpoint's step {start}; "
            "TRAIN_STEPS counts its steps too: add them, or set TRAIN_STEPS_RELATIVE instead"
        )
    return last
