"""Fixtures for every room: several CPU devices, and the reference data where it exists."""

import os

# Before JAX or TensorFlow is imported: eight virtual devices, quiet logs.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pathlib import Path

import jax
import pytest

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = REPOSITORY.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real samples and reference values beside the checkout; skips without it."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared beside the checkout: real samples and T5X goldens are not here")
    return SHARED
