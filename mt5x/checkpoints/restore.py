"""Starting from a checkpoint of any format, whole or in part, with the difference printed."""

import sys
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from mt5x import train_state
from mt5x.checkpoints import formats
from mt5x.checkpoints.placing import STEP, flat, nested, place, read_onto_mesh
from mt5x.checkpoints.restore_plan import Plan, Resized, RestoreConfig, plan
from mt5x.checkpoints.tensors import Source, TensorInfo, is_slot
from mt5x.models import EncoderDecoderModel
from mt5x.train_state import TrainState


def initial_state(
    location: str, model: EncoderDecoderModel, mesh: Mesh, seed: int, config: RestoreConfig
) -> TrainState:
    """Returns the state in which training starts from a checkpoint.

    Args:
      location: a checkpoint of any format that `formats` knows, or a folder of them.
      model: the model.
      mesh: where the state will live.
      seed: of what is freshly initialised.
      config: what to take.

    Raises:
      UserError: there is no checkpoint, it is damaged, or it does not fit.
    """
    source = formats.open_source(location)
    shapes = flat(train_state.abstract_state(model).as_checkpoint())
    shardings = flat(train_state.state_shardings(model, mesh).as_checkpoint())
    step_shape, step_sharding = shapes.pop(STEP), shardings.pop(STEP)
    found = plan(source.tensors, _infos(shapes), config, source.location)
    fresh = _fresh(found, model, mesh, seed)
    leaves = _read(source, found, shapes, shardings, fresh)
    _print_difference(source, found)
    step = source.step if found.keeps_step and source.step is not None else 0
    leaves[STEP] = place(np.asarray(step), step_shape, step_sharding)
    return TrainState.from_checkpoint(nested(leaves))


def parameters(location: str, model: EncoderDecoderModel, mesh: Mesh) -> tuple[Any, int]:
    """Returns a checkpoint's parameters on the mesh, and its step (0 where it states none).

    Raises:
      UserError: there is no checkpoint, it is damaged, or it does not fit.
    """
    source = formats.open_source(location)
    shapes = flat({"target": train_state.abstract_state(model).params})
    shardings = flat({"target": train_state.state_shardings(model, mesh).params})
    found = plan(source.parameters, _infos(shapes), RestoreConfig(), source.location)
    fresh = _fresh(found, model, mesh, seed=0)
    leaves = _read(source, found, shapes, shardings, fresh)
    if not found.whole:
        _print_difference(source, found)
    return nested(leaves)["target"], source.step or 0


def _fresh(found: Plan, model: EncoderDecoderModel, mesh: Mesh, seed: int) -> dict[str, jax.Array]:
    """The initialised tensors that are needed: those not loaded, and those that grow."""
    needed = {*found.fresh, *(path for path, change in found.resized.items() if _grows(change))}
    slots = {path for path in needed if is_slot(path)}
    leaves = train_state.init_params(model, mesh, seed, needed - slots) if needed - slots else {}
    if slots:
        fresh = flat({"state": train_state.init_optimizer(model, mesh)})
        leaves |= {path: fresh[path] for path in slots}
    return leaves


def _read(
    source: Source,
    found: Plan,
    shapes: Mapping[str, Any],
    shardings: Mapping[str, Any],
    fresh: dict[str, jax.Array],
) -> dict[str, jax.Array]:
    """Every tensor of the model; one that is resized is in every host's memory for a while."""
    placed = {path: fresh.pop(path) for path in found.fresh}
    for path, change in found.resized.items():
        array = _resize(source.read(path), change, fresh.pop(path, None), is_slot(path))
        placed[path] = place(array, shapes[path], shardings[path])
    as_they_are = {path: shapes[path] for path in found.loaded if path not in found.resized}
    return placed | read_onto_mesh(source, as_they_are, shardings)


def _resize(array: np.ndarray, change: Resized, fresh: jax.Array | None, slot: bool) -> np.ndarray:
    """Drops rows of the vocabulary at its end, or adds new ones there.

    New rows of a parameter are freshly initialised; those of a slot are the mean of the others,
    since a second moment of zero would make of the first gradient a giant step.
    """
    kept = [slice(None)] * array.ndim
    if fresh is None:
        kept[change.axis] = slice(0, change.new)
        return array[tuple(kept)]
    kept[change.axis] = slice(change.old, change.new)
    new = np.array(_on_host(fresh)[tuple(kept)], array.dtype)
    if slot:
        new[...] = array.mean(axis=change.axis, keepdims=True, dtype=np.float32)
    return np.concatenate([array, new], axis=change.axis)


def _grows(change: Resized) -> bool:
    return change.new > change.old


def _on_host(array: jax.Array) -> np.ndarray:
    """The whole array on every process."""
    if jax.process_count() == 1:
        return np.asarray(array)
    from jax.experimental import multihost_utils

    return np.asarray(multihost_utils.process_allgather(array, tiled=True))


def _print_difference(source: Source, found: Plan) -> None:
    if jax.process_index() == 0:
        step = "no step" if source.step is None else f"step {source.step:,}"
        told = [] if found.whole else [f"  {line}" for line in found.lines()]
        whole = ", loaded whole" if found.whole else ""
        head = f"checkpoint {source.location} ({source.format}, {step}){whole}"
        print("\n".join([head, *told]), file=sys.stderr, flush=True)


def _infos(shapes: Mapping[str, Any]) -> dict[str, TensorInfo]:
    return {path: TensorInfo(tuple(s.shape), str(s.dtype)) for path, s in shapes.items()}
