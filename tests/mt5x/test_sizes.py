"""Every mT5 size, as its gin file says it, built by shape alone.

The counts are those of the public checkpoints: 250,112 rows in two tables of their own (embedding
and logits), one table of relative positions for each stack, gated feed-forward blocks, no biases.
"""

import jax
import pytest

from mt5x import config, models, partitioning, train_state
from mt5x.models import EncoderDecoderModel

PARAMETERS = {
    "small": 300_176_768,
    "base": 582_401_280,
    "large": 1_229_581_312,
    "xl": 3_742_619_648,
    "xxl": 12_921_057_280,
}
# Data, model and full sharding.
MESHES = [(1, 1, 1), (8, 1, 1), (2, 4, 1), (1, 1, 32), (4, 8, 8)]


def from_gin(size: str) -> EncoderDecoderModel:
    folder = config.INSTALLATION_ROOT / "t5x_configs" / "models"
    # The vocabulary is a download, and sizes do not need it.
    config.load([str(folder / f"mt5_{size}.gin")], ["EncoderDecoderModel.vocabulary=None"])
    model: EncoderDecoderModel = config.call(models.EncoderDecoderModel)
    return model


def by_hand(size: str) -> int:
    """The count from the sizes of the paper (arXiv 2010.11934), without the network's code."""
    d, mlp, layers, heads = {
        "small": (512, 1024, 8, 6),
        "base": (768, 2048, 12, 12),
        "large": (1024, 2816, 24, 16),
        "xl": (2048, 5120, 24, 32),
        "xxl": (4096, 10240, 24, 64),
    }[size]
    attention, feed_forward = 4 * d * heads * 64, 3 * d * mlp
    encoder = layers * (attention + feed_forward + 2 * d) + d + 32 * heads
    decoder = layers * (2 * attention + feed_forward + 3 * d) + d + 32 * heads
    return encoder + decoder + 2 * 250_112 * d


@pytest.mark.parametrize("size", PARAMETERS)
def test_parameters_and_shardings(size):
    model = from_gin(size)
    shapes = train_state.abstract_state(model)
    count = sum(leaf.size for leaf in jax.tree.leaves(shapes.params))
    assert count == PARAMETERS[size] == by_hand(size)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(shapes.params)} == {"float32"}
    for sizes in MESHES:
        mesh = partitioning.abstract_mesh(*sizes)
        places = train_state.state_shardings(model, mesh)
        for leaf, place in zip(jax.tree.leaves(shapes), jax.tree.leaves(places), strict=True):
            axes = [axis for axis in place.spec if axis]
            assert len(axes) == len(set(axes))
            # All that is large is split over both axes, optimizer slots included.
            if leaf.ndim == 2 and leaf.size > 2**16:
                parts = leaf.size // place.num_devices
                assert axes == ["fsdp", "model"] or axes == ["model", "fsdp"], (leaf.shape, parts)
