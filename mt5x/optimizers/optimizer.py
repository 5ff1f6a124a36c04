"""What all optimizers share: a state that lies beside the parameters, one update for each."""

import abc
import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mt5x.errors import UserError
from mt5x.optimizers import alike
from mt5x.optimizers.row_gradient import Gradient, RowGradient, values, whole, with_values

Array = jax.Array
Slots = dict[str, Array]


class Squares(NamedTuple):
    """Sums of squares, float32 scalars, of arrays that an update reads anyway.

    Attributes:
        grad: of the gradient, before it is clipped.
        param: of the new parameter.
        update: of what was added to it.
    """

    grad: Array
    param: Array
    update: Array


@dataclasses.dataclass(frozen=True)
class Optimizer(abc.ABC):
    """An optimizer that updates every parameter from its own gradient and slots.

    Its state is `{'step', 'param_states'}`, where `param_states` has the tree of the parameters
    with named slots at each, so that checkpoints, shardings, memory plans and partial restore need
    not know which optimizer it is.

    Attributes:
        global_norm_clip_threshold: gradients are scaled down to this norm, taken over all of them
            (arXiv 1211.5063); None for never. T5X's name and arithmetic.
        step_offset: the step from which the optimizer counts, that of the initial checkpoint to
            start its memory anew in fine-tuning.
    """

    global_norm_clip_threshold: float | None = None
    step_offset: int = 0

    def check_start(self, step: int) -> None:
        """Refuses to begin at a step before `step_offset`, where the counting has no meaning.

        Raises:
            UserError: it is before.
        """
        if step < self.step_offset:
            raise UserError(
                f"STEP_OFFSET={self.step_offset} is beyond step {step}, at which this run begins; "
                f"set STEP_OFFSET={step}"
            )

    def init(self, params: Any) -> dict[str, Any]:
        """The state before the first step.

        Args:
            params: tree of float arrays (or shapes of them).

        Returns:
            `{'step': int32 0, 'param_states': tree}`, where each parameter has its float32 slots.
        """
        slots = jax.tree.map(lambda param: self.init_slots(param.shape), params)
        return {"step": jnp.zeros((), jnp.int32), "param_states": slots}

    def update(
        self, grads: Any, opt_state: dict[str, Any], params: Any, learning_rate: Array | float
    ) -> tuple[Any, dict[str, Any]]:
        """One step.

        Args:
            grads: tree like `params`; a matrix may have a `RowGradient`.
            opt_state: from `init` or the last `update`.
            params: the parameters.
            learning_rate: scalar.

        Returns:
            The new parameters, in their dtypes, and the new state.
        """
        return self.measured_update(grads, opt_state, params, learning_rate)[:2]

    def measured_update(
        self, grads: Any, opt_state: dict[str, Any], params: Any, learning_rate: Array | float
    ) -> tuple[Any, dict[str, Any], Squares]:
        """As `update`, and the sums of squares over the whole tree."""
        step = opt_state["step"]
        rate = jnp.asarray(learning_rate, jnp.float32)
        paths, leaves, structure = _flat(params)
        found: list[Gradient] = [
            with_values(grad, lambda x: x.astype(jnp.float32))
            for grad in structure.flatten_up_to(grads)
        ]
        unclipped = None
        if self.global_norm_clip_threshold is not None:
            unclipped = sum((sum_of_squares(values(grad)) for grad in found), jnp.zeros(()))
            scale = _clipping(unclipped, self.global_norm_clip_threshold)
            found = [with_values(grad, lambda x: x * scale) for grad in found]
        before = structure.flatten_up_to(opt_state["param_states"])
        kinds = [
            None if isinstance(grad, RowGradient) else self.kind(path)
            for path, grad in zip(paths, found, strict=True)
        ]
        after: list[Any] = [None] * len(leaves)
        squares = Squares(jnp.zeros(()), jnp.zeros(()), jnp.zeros(()))
        for places in alike.groups(kinds, leaves):
            own = [(paths[i], found[i], before[i], leaves[i]) for i in places]
            updated, added = self._update_group(own, step, rate)
            squares = Squares(*map(jnp.add, squares, added))
            for place, new in zip(places, updated, strict=True):
                after[place] = new
        if unclipped is not None:
            squares = squares._replace(grad=unclipped)
        params = structure.unflatten([param for param, _ in after])
        opt_state = {
            "step": step + 1,
            "param_states": structure.unflatten([slots for _, slots in after]),
        }
        return params, opt_state, squares

    def _update_group(
        self, own: Sequence[tuple[str, Gradient, Slots, Array]], step: Array, rate: Array
    ) -> tuple[list[tuple[Array, Slots]], Squares]:
        """New parameters and slots of one parameter, or of several of one kind and shape."""
        path, grad, slots, param = own[0]
        if isinstance(grad, RowGradient):
            one = self.update_rows(path, grad, slots, param, step, rate)
            return [one[:2]], one[2]
        if len(own) == 1:
            one = self.update_one(path, grad, slots, param, step, rate)
            return [one[:2]], one[2]

        def update(grad: Array, held: tuple[Slots, Array]) -> tuple[Array, Slots, Squares]:
            return self.update_one(path, grad, *held, step, rate)

        grads = [values(grad) for _, grad, *_ in own]
        held = [(slots, param) for *_, slots, param in own]
        *new, squares = jax.vmap(update)(*alike.stacked(grads, held))
        pairs: list[tuple[Array, Slots]] = alike.unstacked(tuple(new), len(own))
        return pairs, Squares(*map(jnp.sum, squares))

    def kind(self, path: str) -> Hashable | None:
        """Parameters of one kind and shape are updated alike; None is like no other."""
        del path
        return None

    def takes_rows(self, shape: tuple[int, ...]) -> bool:
        """Whether `update_rows` leaves the rows of such a matrix alone that have no gradient."""
        del shape
        return False

    def update_rows(
        self,
        path: str,
        grad: RowGradient,
        slots: Slots,
        param: Array,
        step: Array,
        learning_rate: Array,
    ) -> tuple[Array, Slots, Squares]:
        """As `update_one`, for a gradient that is zero in most rows."""
        full = whole(grad, len(param))
        return self.update_one(path, full, slots, param, step, learning_rate)

    @abc.abstractmethod
    def init_slots(self, shape: tuple[int, ...]) -> Slots:
        """The float32 slots of a parameter of this shape, before the first step."""

    @abc.abstractmethod
    def slot_axes(self, shape: tuple[int, ...]) -> Mapping[str, tuple[int, ...]]:
        """The axes of the parameter that a slot has, in order; () of a slot that has none."""

    @abc.abstractmethod
    def update_one(
        self, path: str, grad: Array, slots: Slots, param: Array, step: Array, learning_rate: Array
    ) -> tuple[Array, Slots, Squares]:
        """The new parameter, in its dtype, its new slots, and the sums of squares.

        Args:
            path: the parameter's, such as 'decoder/layers_0/mlp/wo/kernel'.
            grad: float32, of the parameter's shape.
            slots: float32.
            param: of any float dtype.
            step: int32, steps done before this one.
            learning_rate: float32 scalar.
        """


def _flat(params: Any) -> tuple[list[str], list[Any], Any]:
    """Paths and leaves in the tree's order, and its structure."""
    found, structure = jax.tree_util.tree_flatten_with_path(params)
    paths = ["/".join(str(getattr(key, "key", key)) for key in path) for path, _ in found]
    return paths, [leaf for _, leaf in found], structure


def sum_of_squares(x: Array) -> Array:
    """In float32."""
    # Not jnp.vdot, which flattens: an array that is split over devices would be gathered.
    return jnp.sum(jnp.square(x.astype(jnp.float32)))


def _clipping(sum_of_squares: Array, threshold: float) -> Array:
    return threshold * jnp.minimum(1.0 / threshold, 1.0 / jnp.sqrt(sum_of_squares))
