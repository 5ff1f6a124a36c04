"""JAX is asked for the share of a GPU that the plan counts on, unless its user has asked."""

import pytest

from mt5x import gpu_memory, memory_plan


def test_the_share_is_asked_for_and_holds_what_a_plan_may_take():
    environment: dict[str, str] = {}
    gpu_memory.take_share(environment)
    assert environment == {"XLA_CLIENT_MEM_FRACTION": "0.92"}
    assert gpu_memory.SHARE > memory_plan.USABLE


@pytest.mark.parametrize(
    "own",
    [
        {"XLA_CLIENT_MEM_FRACTION": "0.4"},
        {"XLA_PYTHON_CLIENT_MEM_FRACTION": "0.4"},
        {"XLA_PYTHON_CLIENT_ALLOCATOR": "platform"},
    ],
)
def test_what_its_user_has_set_stays(own):
    environment = dict(own)
    gpu_memory.take_share(environment)
    assert environment == own
