"""Fixtures of the engine's tests."""

from typing import Any

import pytest

from mt5x.model import Transformer
from tests.mt5x.networks import SMALL, Golden, initial_params, load_golden


@pytest.fixture(scope="session", params=["unpacked", "packed_factored"])
def golden(request, shared) -> Golden:
    return load_golden(shared / "goldens" / request.param)


@pytest.fixture(scope="session")
def unpacked_golden(shared) -> Golden:
    return load_golden(shared / "goldens" / "unpacked")


@pytest.fixture(scope="session")
def small() -> tuple[Transformer, Any]:
    """A network and its parameters, spread out so that logits are far from uniform."""
    model = Transformer(SMALL)
    return model, initial_params(model, seed=0)
