"""What counts as a run gone wrong, and what must not."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from mt5x import anomaly
from mt5x.anomaly import LossLevel, SpikeRule
from mt5x.errors import UserError

FINE = {"loss": 2.0, "weight_gradient_norm": 1.0, "weight_norm": 30.0}


def stops_at(losses, rule: SpikeRule = SpikeRule()) -> int | None:
    """The index of the loss at which the run stops."""
    level = LossLevel(rule)
    for index, loss in enumerate(losses):
        level.add(float(loss))
        if level.is_spike:
            return index
    return None


@pytest.mark.parametrize("name", FINE)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_figure_that_is_no_number_is_named(name, value):
    found = anomaly.not_finite(FINE | {name: value})
    assert found == f"the {dict(anomaly._WATCHED)[name]} is {value}"
    assert anomaly.not_finite(FINE) is None


def test_an_optimizer_that_leaves_nan_out_is_judged_by_its_parameters():
    assert anomaly.not_finite(FINE | {"loss": math.nan}, skips_nan_updates=True) is None
    assert anomaly.not_finite(FINE | {"weight_norm": math.nan}, skips_nan_updates=True) is not None


@settings(max_examples=100)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 6.0), st.floats(0.05, 1.0))
def test_noise_of_small_batches_does_not_stop_a_run(seed, level, spread):
    # Lognormal: at a spread of 1 every tenth loss is 3.6 times the median or more.
    noise = np.random.default_rng(seed).normal(size=3000)
    assert stops_at(level * np.exp(spread * noise)) is None


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.floats(1.0, 12.0), st.floats(0.001, 1.0), st.floats(5, 500))
def test_a_loss_that_falls_does_not_stop_a_run(seed, begin, end, pace):
    steps = np.arange(2000)
    noise = np.exp(0.3 * np.random.default_rng(seed).normal(size=len(steps)))
    assert stops_at((end + (begin - end) * np.exp(-steps / pace)) * noise) is None


@given(st.floats(0.0, 4.0), st.floats(0.0, 3.0), st.integers(0, 500))
def test_a_loss_that_leaves_its_level_stops_the_run_after_ten_steps(level, beyond, before):
    high = 2.0 * level + 1.0 + 0.01 + beyond
    assert stops_at([level] * (100 + before) + [high] * 30) == 100 + before + 9


@given(st.lists(st.integers(1, 9), min_size=1, max_size=20))
def test_fewer_high_steps_than_ten_never_stop_a_run(lengths):
    losses = [1.0] * 100
    for length in lengths:
        losses += [50.0] * length + [1.0] * 12
    assert stops_at(losses) is None


def test_the_level_is_followed_only_by_what_belongs_to_it():
    level = LossLevel(SpikeRule(steps=3, window=4))
    found = []
    for loss in [2.0, 2.0, 2.0, 2.0, 9.0, 2.5, 9.0, 8.0, 7.0]:
        level.add(loss)
        found.append((level.high and level.high.steps, level.is_spike))
    quiet = (None, False)
    assert found == [quiet] * 4 + [(1, False), quiet, (1, False), (2, False), (3, True)]
    # Of 2, 2, 9 and 2.5, what came before the last three.
    assert level.high == anomaly.High(steps=3, level=2.25, limit=5.5)


def test_a_rule_may_be_switched_off():
    assert stops_at([1.0] * 200 + [100.0] * 50, SpikeRule(factor=None)) is None


@pytest.mark.parametrize(
    ("setting", "named"),
    [({"factor": 0.5}, "FACTOR"), ({"floor": -1.0}, "FLOOR"), ({"steps": 0}, "STEPS")],
)
def test_a_rule_without_meaning_is_refused(setting, named):
    with pytest.raises(UserError, match=f"LOSS_SPIKE_{named}"):
        SpikeRule(**setting)
