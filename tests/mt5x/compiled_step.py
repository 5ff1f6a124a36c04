"""Compiles a training step for devices that are not there, and tells what is in it.

`python -m tests.mt5x.compiled_step DEVICES '{"num_partitions": 8, ...}'` prints JSON. A process of
its own, since the number of CPU devices is settled when JAX starts. Nothing is allocated: the
step is lowered from shapes.
"""

import dataclasses
import json
import math
import re
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict

from mt5x import optimizers, steps, train_state
from mt5x.model import T5Config, Transformer
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import MESH_AXES, Partitioner

XXL = T5Config(
    vocab_size=250112,
    emb_dim=4096,
    mlp_dim=10240,
    num_encoder_layers=24,
    num_decoder_layers=24,
    num_heads=64,
    dtype=jnp.bfloat16,
    remat_policy="full",
    scan_layers=True,
)
_COLLECTIVE = re.compile(
    r"= (?P<type>.*?) (?P<kind>all-gather|all-reduce|reduce-scatter|all-to-all|collective-permute"
    r"|collective-broadcast)(-start)?\((?P<rest>.*)"
)
_SHAPE = re.compile(r"(\w+)\[([\d,]*)\]")


def collectives(hlo: str, mesh_shape: tuple[int, ...]) -> list[dict[str, Any]]:
    """Kind, mesh axes and largest shape of each collective of a compiled program."""
    found = []
    for line in hlo.splitlines():
        match = _COLLECTIVE.search(line)
        if match is None:
            continue
        shapes = [
            [int(n) for n in dims.split(",") if n] for _, dims in _SHAPE.findall(match["type"])
        ]
        found.append({
            "kind": match["kind"],
            "axes": _axes(match["rest"], mesh_shape),
            "shape": max(shapes, key=math.prod),
            "dtype": _SHAPE.findall(match["type"])[0][0],
            "source": (re.findall(r'op_name="([^"]*)"', line) or [""])[0],
        })  # fmt: skip
    return found


def _axes(text: str, mesh_shape: tuple[int, ...]) -> list[str]:
    """The mesh axes along which the devices of a group differ."""
    varying = set()
    for group in _groups(text, math.prod(mesh_shape)):
        places = np.unravel_index(group, mesh_shape)
        varying |= {
            axis for axis, place in zip(MESH_AXES, places, strict=True) if len(set(place)) > 1
        }
    return [axis for axis in MESH_AXES if axis in varying]


def _groups(text: str, devices: int) -> list[list[int]]:
    """The groups of device ids of one instruction, in any of the forms that XLA prints."""
    ids = np.arange(devices)
    if listed := re.search(r"(?:replica_groups|source_target_pairs)=\{(\{.*?\})\}", text):
        return [_numbers(group) for group in re.findall(r"\{([\d,]+)\}", listed[1])]
    # [groups,size]<=[4,2]T(1,0): the ids in rows, transposed, cut into groups.
    if iota := re.search(r"replica_groups=\[([\d,]+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?", text):
        shape, source, order = (_numbers(found or "") for found in iota.groups())
        ids = ids.reshape(source).transpose(order or range(len(source)))
        return ids.reshape(-1, shape[-1]).tolist()
    # mesh['a'=2,'b'=4], device_ids=([2,2,2]T(1,0,2)) {'a'}: a named grid, grouped along some axes.
    mesh = re.search(
        r"replica_groups=mesh\[(.*?)\](?:, device_ids=\(\[([\d,]+)\](?:T\(([\d,]+)\))?\))?"
        r" \{([^}]*)\}",
        text,
    )
    if mesh is None or ":" in mesh[4]:
        raise ValueError(f"groups of devices in a form that is not known: {text[:200]}")
    names = re.findall(r"'(\w+)'=", mesh[1])
    if mesh[2]:
        source = _numbers(mesh[2])
        ids = ids.reshape(source).transpose(_numbers(mesh[3] or "") or range(len(source)))
    ids = ids.reshape([int(size) for size in re.findall(r"=(\d+)", mesh[1])])
    along = [names.index(name) for name in re.findall(r"'(\w+)'", mesh[4])]
    size = math.prod(ids.shape[axis] for axis in along)
    return np.moveaxis(ids, along, range(-len(along), 0)).reshape(-1, size).tolist()


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",") if number]


def compile_step(
    config: T5Config,
    partitioner: Partitioner,
    batch_size: int,
    inputs: int,
    targets: int,
    **model_settings: Any,
) -> tuple[Any, Any]:
    """The compiled step, and the abstract state; by Adafactor unless told otherwise."""
    mesh = partitioner.mesh
    settings = {"optimizer_def": optimizers.Adafactor(), **model_settings}
    model = EncoderDecoderModel(Transformer(config), **settings)
    state = train_state.abstract_state(model)
    lengths = {"encoder_input_tokens": inputs}
    for name in ("decoder_input_tokens", "decoder_target_tokens", "decoder_loss_weights"):
        lengths[name] = targets
    rows = {
        name: jax.ShapeDtypeStruct((batch_size, length), jnp.int32)
        for name, length in lengths.items()
    }
    key = jax.eval_shape(lambda: jax.random.key(0))
    rate = jax.ShapeDtypeStruct((), jnp.float32)
    step: Any = steps.train_step(model, mesh)
    return step.lower(state, rows, key, rate).compile(), state


def replicated(compiled: Any, state: Any, mesh_axes: dict[str, int]) -> list[str]:
    """Names of the state's arrays, coming in or going out, that are split over too few axes."""
    places_in = compiled.input_shardings[0][0]
    places_out = compiled.output_shardings[0]
    wanted = {axis for axis in ("fsdp", "model") if mesh_axes[axis] > 1}
    whole = []
    for places in (places_in, places_out):
        leaves = zip(
            flatten_dict(state.as_checkpoint(), sep="/").items(),
            flatten_dict(places.as_checkpoint(), sep="/").values(),
            strict=True,
        )
        for (name, leaf), place in leaves:
            parts = leaf.size // math.prod(place.shard_shape(leaf.shape))
            if name.endswith(("/v_row", "/v_col")) and leaf.size > 1 and len(wanted) == 2:
                # Each dimension of a kernel lies on one of the two axes.
                if parts == 1:
                    whole.append(f"{name} {leaf.shape} in one part")
                continue
            if leaf.ndim < 2 or "rel_embedding" in name:
                continue
            if parts != math.prod(mesh_axes[axis] for axis in wanted):
                whole.append(f"{name} {leaf.shape} in {parts} parts")
    return whole


def main() -> None:
    """Compiles as the arguments say and prints what came of it."""
    settings = json.loads(sys.argv[2])
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", int(sys.argv[1]))
    config = dataclasses.replace(XXL, **settings.get("config", {}))
    partitioner = Partitioner(settings["num_partitions"], settings["fsdp_partitions"])
    compiled, state = compile_step(config, partitioner, settings["batch_size"], 256, 64)
    shape = dict(partitioner.mesh.shape)
    memory = compiled.memory_analysis()
    print(json.dumps({
        "mesh": shape,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(state.params)),
        "replicated": replicated(compiled, state, shape),
        "collectives": collectives(compiled.as_text(), tuple(shape.values())),
        "argument_bytes": memory.argument_size_in_bytes,
        "temporary_bytes": memory.temp_size_in_bytes,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
