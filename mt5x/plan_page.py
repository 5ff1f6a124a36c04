"""A memory plan as text: the mesh, where each parameter lies, and what a device must hold."""

import dataclasses
import math
import re

import jax

from mt5x import path_patterns, train_state
from mt5x.measured_memory import Allocation
from mt5x.memory_plan import Memory
from mt5x.models import EncoderDecoderModel
from mt5x.step_setting import Setting


def page(model: EncoderDecoderModel, setting: Setting, needed: Memory) -> str:
    """Returns the whole plan, of as many lines as there are kinds of parameters, and some more."""
    return "\n".join([_mesh(setting), "", _parameters(model, setting), "", _memory(needed)])


def changes(old: Setting, new: Setting) -> str:
    """Returns the flags of `mt5x plan` that lead from one setting to another."""
    pairs = {
        "--num_partitions": (old.partitioner.num_partitions, new.partitioner.num_partitions),
        "--fsdp_partitions": (old.partitioner.fsdp_partitions, new.partitioner.fsdp_partitions),
        "--remat_policy": (old.remat_policy, new.remat_policy),
        "--num_microbatches": (old.num_microbatches, new.num_microbatches),
    }
    return " ".join(f"{flag}={after}" for flag, (before, after) in pairs.items() if before != after)


def compiled(platform: str, devices: int, found: Allocation) -> str:
    """Returns what the compiler assigned on each device, as text."""
    parts = {
        "comes in": found.arguments,
        "temporaries": found.temporaries,
        "peak": found.peak,
    }
    lines = [f"  {name:<12} {gib(size):>12}" for name, size in parts.items()]
    head = f"on each device, by XLA's compiler for {devices} {platform} devices (packed rows):"
    return "\n".join([head, *lines])


def gib(size: int) -> str:
    """Returns a number of bytes in GiB."""
    return f"{size / 2**30:.2f} GiB"


def _mesh(setting: Setting) -> str:
    axes = " x ".join(f"{axis} {size}" for axis, size in setting.mesh.shape.items())
    return (
        f"mesh: {setting.devices} devices = {axes}; {setting.rows} of {setting.batch_size} "
        f"sequences at once on each, remat {setting.remat_policy}"
    )


def _parameters(model: EncoderDecoderModel, setting: Setting) -> str:
    """One line for each kind of parameter; those of a stack's layers together."""
    shapes = train_state.abstract_state(model).params
    places = train_state.state_shardings(model, setting.mesh).params
    rows: dict[tuple[str, ...], int] = {}
    total = trained = 0
    leaves = jax.tree_util.tree_flatten_with_path(shapes)[0]
    for (path, leaf), place in zip(leaves, jax.tree.leaves(places), strict=True):
        name = re.sub(r"layers_\d+", "layers_*", "/".join(str(key.key) for key in path))
        share = leaf.size // math.prod(place.shard_shape(leaf.shape))
        axes = " ".join(axis or "-" for axis in place.spec) or "whole"
        frozen = path_patterns.matches("/".join(str(key.key) for key in path), model.freeze)
        part = f"1/{share}{', frozen' if frozen else ''}"
        row = (name, "x".join(map(str, leaf.shape)), axes, part)
        rows[row] = rows.get(row, 0) + 1
        total += leaf.size
        trained += 0 if frozen else leaf.size
    lines = [f"{'parameter':<58} {'times':>5}  {'shape':<13} {'split over':<12} on a device"]
    lines += [f"{n:<58} {c:>5}  {s:<13} {a:<12} {d}" for (n, s, a, d), c in rows.items()]
    of_these = "" if trained == total else f", of which {trained:,} are trained"
    optimizer = type(model.optimizer_def).__name__
    return "\n".join([*lines, f"{total:,} parameters{of_these}, by {optimizer}"])


def _memory(needed: Memory) -> str:
    parts = dataclasses.asdict(needed) | {"peak": needed.total}
    notes = {"at_once": "most of these three at one moment", "peak": "parameters, slots, at once"}
    lines = [
        f"  {name:<12} {gib(size):>12}  {notes.get(name, '')}".rstrip()
        for name, size in parts.items()
    ]
    return "\n".join(["on each device (an estimate):", *lines])
