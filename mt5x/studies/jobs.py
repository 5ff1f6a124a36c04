"""The kinds of stages that the engine does itself, as the runner calls them."""

import collections

from mt5x import config, evaluation, inference, input_pipeline, train_loop
from mt5x.checkpoints import formats
from mt5x.evaluation import TaskScores
from mt5x.models import EncoderDecoderModel
from mt5x.studies.store import Figures


def train(title: str) -> Figures:
    """Trains; the checkpoint in the stage's folder is the result."""
    config.call(train_loop.train, title=title)
    return {}


def evaluate(title: str) -> Figures:
    """Scores the parent's checkpoint; an evaluation task ends in '.' and its language."""
    scores = config.call(inference.evaluate, title=title)
    step = formats.open_source(config.macro("CHECKPOINT_PATH")).step or 0
    return {language_of(one.task): _figures(one, step) for one in scores}


def majority_baseline(title: str) -> Figures:
    """Scores the prediction of the most frequent training target, language by language."""
    scores = config.call(majority_scores)
    return {language_of(one.task): _figures(one, step=0) for one in scores}


def majority_scores(
    model: EncoderDecoderModel,
    train_tasks: list[str],
    eval_tasks: list[str],
    split: str = "validation",
    num_train_examples: int | None = 2000,
) -> list[TaskScores]:
    """Predicts for every example of eval_tasks[i] the commonest target of train_tasks[i].

    Args:
      model: there for its vocabulary, which is the tasks' own.
      train_tasks: SeqIO tasks with a train split.
      eval_tasks: as many SeqIO tasks with `split`.
      split: evaluated split.
      num_train_examples: training examples that are counted; None counts all.
    """
    for name in (*train_tasks, *eval_tasks):
        input_pipeline.check_vocabulary(name, model.module.config.vocab_size)
    commonest = {
        name: _commonest_target(name, num_train_examples) for name in dict.fromkeys(train_tasks)
    }
    scores = []
    for train_name, eval_name in zip(train_tasks, eval_tasks, strict=True):
        eval_task = input_pipeline.registered(eval_name)
        examples = input_pipeline.evaluation_examples(eval_task, split, None, False, None)
        texts = [commonest[train_name]] * len(examples.inputs)
        scores.append(evaluation.score_predictions(eval_task, examples, texts))
    return scores


def _commonest_target(name: str, num_examples: int | None) -> str:
    """The text of the most frequent target of a task's training examples."""
    task = input_pipeline.registered(name)
    trained = input_pipeline.evaluation_examples(task, "train", None, False, num_examples)
    vocabulary = task.output_features["targets"].vocabulary
    counts = collections.Counter(tuple(ids.tolist()) for ids in trained.targets)
    commonest = min(counts, key=lambda ids: (-counts[ids], ids))
    return str(vocabulary.decode([token for token in commonest if token != vocabulary.eos_id]))


def _figures(scores: TaskScores, step: int) -> dict[str, float]:
    return {**scores.metrics, "num_examples": scores.num_examples, "step": step}


def language_of(task: str) -> str:
    """The language that a task's name ends in, before what makes it a variant of a task."""
    return task.partition(":")[0].rpartition(".")[2]
