"""Fixtures of the engine's tests."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import sentencepiece

from mt5x import train_state
from mt5x.checkpoints import placing
from mt5x.model import Transformer
from mt5x.partitioning import make_mesh
from tests.mt5x import toy
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


@pytest.fixture(scope="session")
def piece_model(tmp_path_factory) -> Path:
    """A small SentencePiece model with mT5's special ids."""
    folder = tmp_path_factory.mktemp("pieces")
    text = folder / "text.txt"
    words = ["lake", "river", "mountain", "forest", "bridge", "house", "street", "garden"]
    text.write_text("\n".join(f"{a} and {b}" for a in words for b in words))
    sentencepiece.SentencePieceTrainer.Train(
        input=str(text), model_prefix=str(folder / "sp"), vocab_size=60, pad_id=0, eos_id=1,
        unk_id=2, bos_id=-1, minloglevel=2, hard_vocab_limit=False,
    )  # fmt: skip
    return folder / "sp.model"


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    """The state of a toy model after no step, but with slots that are not zero."""
    state = train_state.init_state(toy.model(), make_mesh(1, 1), seed=3)
    flat = placing.flat(jax.device_get(state.as_checkpoint()))
    flat.pop("state/step")
    rng = np.random.default_rng(0)
    return {
        path: rng.random(array.shape, np.float32) if path.startswith("state/") else array
        for path, array in flat.items()
    }
