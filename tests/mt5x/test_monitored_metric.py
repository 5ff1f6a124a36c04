"""The named figure that decides which checkpoint is best, and when to stop."""

import dataclasses
import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from mt5x.errors import UserError
from mt5x.evaluation import Evaluator
from mt5x.monitored_metric import MonitoredMetric
from tests.mt5x import toy

EVALUATOR = Evaluator(toy.labels_of)
SCORED = toy.dataset(split="validation", task_feature_lengths=None)
FORCED = toy.dataset(split="validation")


def check(name: str, **changes) -> None:
    toy.register()
    datasets = {"scored": SCORED, "teacher_forced": FORCED, **changes}
    MonitoredMetric(name, macro="EARLY_STOPPING_METRIC").check(EVALUATOR, **datasets)


@pytest.mark.parametrize("name", ["eval/toy_eval.aa/accuracy", "training_eval/toy_eval.bb/loss"])
def test_a_figure_that_is_evaluated_passes(name):
    check(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("accuracy", "must be eval/TASK/METRIC .*, not 'accuracy'"),
        ("eval/toy_eval.aa", "must be eval/TASK/METRIC"),
        ("train/toy_eval.aa/loss", "must be eval/TASK/METRIC"),
        ("eval/toy_eval.a/accuracy", "no task toy_eval.a .*did you mean toy_eval.aa"),
        ("eval/toy_train/accuracy", "no task toy_train is evaluated on validation"),
        ("eval/toy_eval.aa/acuracy", "no metric acuracy; did you mean accuracy"),
        ("training_eval/toy_eval.aa/los", "no metric los; did you mean loss"),
    ],
)
def test_a_figure_that_is_not_is_refused_with_the_nearest(name, message):
    with pytest.raises(UserError, match=f"EARLY_STOPPING_METRIC.*{message}"):
        check(name)


def test_a_figure_of_an_evaluation_that_is_switched_off_is_refused():
    with pytest.raises(UserError, match="set EVAL_PERIOD above 0"):
        check("eval/toy_eval.aa/accuracy", scored=None)
    with pytest.raises(UserError, match="set EVAL_PERIOD and EVAL_STEPS above 0"):
        check("training_eval/toy_eval.aa/loss", teacher_forced=None)


def test_a_task_that_the_evaluator_leaves_out_is_refused():
    toy.register()
    metric = MonitoredMetric("eval/toy_eval.aa/accuracy")
    with pytest.raises(UserError, match=r"did you mean toy_eval\.bb"):
        metric.check(dataclasses.replace(EVALUATOR, only=["toy_eval.bb"]), SCORED, FORCED)


def test_a_loss_is_better_when_lower_unless_said_otherwise_which_is_refused():
    assert MonitoredMetric("training_eval/t/loss").mode == "min"
    assert MonitoredMetric("eval/t/f1").mode == "max"
    with pytest.raises(UserError, match="'min'"):
        MonitoredMetric("training_eval/t/loss", "max")
    with pytest.raises(UserError, match="'max' or 'min', not 'best'"):
        MonitoredMetric("eval/t/f1", "best")


values = st.floats(-100, 100) | st.just(math.nan)


@given(st.dictionaries(st.integers(0, 1000), values), st.sampled_from(["max", "min"]))
def test_the_best_is_the_earliest_of_the_best_and_never_nan(history, mode):
    found = MonitoredMetric("eval/t/f1", mode).best(history)
    real = {step: value for step, value in history.items() if not math.isnan(value)}
    if not real:
        assert found is None
        return
    best = max(real.values()) if mode == "max" else min(real.values())
    assert found == (min(step for step, value in real.items() if value == best), best)


def test_a_name_may_hold_slashes_after_the_task():
    metric = MonitoredMetric("eval/task/a/b")
    assert (metric.task, metric.metric) == ("task", "a/b")
