"""Small parameters of one shape, stacked, so that a GPU updates them with a few kernels.

Adafactor makes a dozen passes over each parameter, and most of a network's matrices are so small
that a GPU takes longer to start a pass than to do it: on an H200 the 3,400 kernels of mt5-base's
update took 8.6 ms, a tenth of a step, where the bytes are worth 2. Parameters of one kind are split
over devices alike, and so are their stacks: nothing is moved, and what devices sum of each, such as
Adafactor's means, they sum at once (of mt5-small over 8 GPUs' 'fsdp', 15 times a step and not 149).
Other devices gain nothing by it.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from mt5x import target

Array = jax.Array

# Numbers from which a parameter keeps a GPU busy by itself. (Of 2^24, mt5-xl stacked 16 GiB.)
LARGE = 2**22
# Parameters of a stack; more would be one kernel with a great many arguments.
AT_ONCE = 16


def groups(kinds: Sequence[Hashable | None], params: Sequence[Array]) -> list[list[int]]:
    """Which of the parameters to update together, as places in `params`; each is in one group.

    Args:
        kinds: what must be the same for one update to serve; None stays alone.
        params: the parameters.
    """
    if not target.is_platform("gpu"):
        return [[place] for place in range(len(params))]
    alike: dict[Hashable, list[int]] = defaultdict(list)
    for place, (kind, param) in enumerate(zip(kinds, params, strict=True)):
        alone = kind is None or param.size >= LARGE
        alike[(place,) if alone else (kind, param.shape, param.dtype)].append(place)
    return [
        places[start : start + AT_ONCE]
        for places in alike.values()
        for start in range(0, len(places), AT_ONCE)
    ]


def stacked(grads: Sequence[Array], held: Sequence[Any]) -> tuple[Array, Any]:
    """The gradients of several parameters, and the trees held of each, along a new first axis."""
    # Not before there is a gradient: else XLA stacks parameters as the step begins.
    first, held = lax.optimization_barrier((grads[0], list(held)))
    trees = list(zip([first, *grads[1:]], held, strict=True))
    # Made once, and not again by each pass that reads it.
    made: tuple[Array, Any] = lax.optimization_barrier(
        jax.tree.map(lambda *arrays: jnp.stack(arrays), *trees)
    )
    return made


def unstacked(tree: Any, count: int) -> list[Any]:
    """The trees that `stacked` made one of."""
    return [jax.tree.map(lambda x, place=place: x[place], tree) for place in range(count)]
