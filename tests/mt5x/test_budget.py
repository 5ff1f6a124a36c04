"""The compiled steps compute and hold what the budget says (tests/mt5x/budget.py)."""

import jaxlib
import pytest

from tests.mt5x import budget


def check(name, compile_step):
    kept = budget.read()
    if kept["jaxlib"] != jaxlib.__version__:
        pytest.skip(
            f"the budget is of jaxlib {kept['jaxlib']}, here is {jaxlib.__version__}, which "
            f"compiles otherwise; constraints.txt pins the budget's"
        )
    assert name in kept["steps"], f"{name} is not in the budget; add it: {budget.COMMAND} '{name}'"
    found = budget.figures(compile_step())
    assert budget.complaints(name, found, kept["steps"][name]) == []


@pytest.mark.parametrize("name", budget.QUICK)
def test_a_step_keeps_its_budget(name):
    check(name, budget.QUICK[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", budget.SLOW)
def test_a_large_step_keeps_its_budget(name):
    check(name, budget.SLOW[name])


def test_the_budget_has_no_step_that_is_gone():
    assert set(budget.read()["steps"]) == set(budget.QUICK | budget.SLOW)


def test_the_new_state_of_a_training_step_takes_the_old_one_s_place():
    trained = {name: kept for name, kept in budget.read()["steps"].items() if "train" in name}
    assert len(trained) > 2
    for name, kept in trained.items():
        # What lies there before and after the step, or both; of a tiny network the batch matters.
        state = kept["MiB at the peak"] - kept["MiB of temporaries"]
        assert kept["MiB donated"] > (0.9 if "tiny" in name else 0.999) * state, name


def test_what_goes_beyond_the_budget_is_told_in_a_sentence_and_a_little_is_not():
    kept = {"GFLOP": 100.0, "MiB donated": 50.0}
    assert budget.complaints("train", {"GFLOP": 100.9, "MiB donated": 49.6}, kept) == []
    (more,) = budget.complaints("train", {"GFLOP": 102.0, "MiB donated": 50.0}, kept)
    assert more.startswith("train: GFLOP went up from 100 to 102; if that is meant")
    assert more.endswith(f"{budget.COMMAND} 'train'")
    (less,) = budget.complaints("train", {"GFLOP": 100.0, "MiB donated": 0.0}, kept)
    assert "MiB donated went down from 50 to 0" in less
