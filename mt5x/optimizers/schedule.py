"""T5X's learning-rate factors."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from mt5x.errors import UserError, nearest

Array = jax.Array
LearningRate = Callable[[Array | int], Array]


def learning_rate(
    factors: str = "constant * linear_warmup * rsqrt_decay",
    base_learning_rate: float = 0.5,
    warmup_steps: int = 1000,
    decay_factor: float = 0.5,
    steps_per_decay: int = 20000,
    steps_per_cycle: int = 100000,
    step_offset: int = 0,
    min_learning_rate: float = 1e-8,
) -> LearningRate:
    """A schedule as the product of T5X's factors.

    With s = max(0, step - step_offset) and w = warmup_steps:
    constant: base_learning_rate; linear_warmup: min(1, s / w); linear_decay: base_learning_rate x
    min(s / w, 1 + decay_factor x (w - s)), which includes the warm-up and the constant;
    rsqrt_decay: 1 / sqrt(max(s, w)); rsqrt_normalized_decay: sqrt(w / max(s, w)); decay_every:
    decay_factor ^ (s // steps_per_decay); cosine_decay: (1 + cos(pi x (s - w) / steps_per_cycle))
    / 2, starting again each cycle.

    Args:
        factors: names joined by '*'.
        base_learning_rate: of 'constant' and 'linear_decay'.
        warmup_steps: w above.
        decay_factor: of 'decay_every' and 'linear_decay'.
        steps_per_decay: of 'decay_every'.
        steps_per_cycle: of 'cosine_decay'.
        step_offset: step at which the schedule begins.
        min_learning_rate: least value returned.

    Returns:
        A function from the step (int or int array) to a float32 scalar.

    Raises:
        UserError: a factor that does not exist, 'linear_decay' beside what it includes, or
            'decay_every' with a factor of 0.
    """
    names = [name.strip() for name in factors.split("*")]
    warmup = float(warmup_steps)
    # Each takes s as float32; max(w, 1) only matters where w = 0 would divide by zero.
    known: dict[str, Callable[[Array], Array | float]] = {
        "constant": lambda s: base_learning_rate,
        "linear_warmup": lambda s: jnp.minimum(1.0, s / max(warmup, 1.0)),
        "linear_decay": lambda s: (
            base_learning_rate
            * jnp.minimum(s / max(warmup, 1.0), 1.0 + decay_factor * (warmup - s))
        ),
        "rsqrt_decay": lambda s: jnp.maximum(s, max(warmup, 1.0)) ** -0.5,
        "rsqrt_normalized_decay": lambda s: jnp.sqrt(
            max(warmup, 1.0) / jnp.maximum(s, max(warmup, 1.0))
        ),
        "decay_every": lambda s: decay_factor ** (s // steps_per_decay),
        "cosine_decay": lambda s: (
            0.5 * (1.0 + jnp.cos(np.pi * (jnp.maximum(0.0, (s - warmup) / steps_per_cycle) % 1.0)))
        ),
    }
    for name in names:
        if name not in known:
            raise UserError(
                f"A learning rate's factors are {', '.join(known)}, joined by '*', "
                f"not {name!r}{nearest(name, known, count=1) or '.'}"
            )
    if "linear_decay" in names and {"constant", "linear_warmup"} & set(names):
        raise UserError(
            "The learning-rate factor 'linear_decay' includes the constant and the warm-up: "
            "leave 'constant' and 'linear_warmup' out."
        )
    if "decay_every" in names and decay_factor <= 0:
        raise UserError(
            f"The learning-rate factor 'decay_every' multiplies by {decay_factor}, which leaves "
            "nothing: set LEARNING_RATE_DECAY to a number above 0, such as 0.5."
        )

    def schedule(step: Array | int) -> Array:
        since = jnp.maximum(0, jnp.asarray(step) - step_offset).astype(jnp.float32)
        rate = jnp.ones((), jnp.float32)
        for name in names:
            rate = rate * known[name](since)
        return jnp.maximum(rate, min_learning_rate).astype(jnp.float32)

    return schedule
