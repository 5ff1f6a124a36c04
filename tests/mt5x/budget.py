"""What the compiled steps may compute and hold: their figures, and the file that keeps them.

    python -m tests.mt5x.budget            compiles all and rewrites budget.json
    python -m tests.mt5x.budget loss eval  only those whose names have one of these words

The figures are XLA's own account of what it compiled from shapes alone (nothing is allocated):
operations of `cost_analysis`, in which a loop's body counts once however often it runs, and bytes
of `memory_analysis`. They are the same on every processor (one core or many, with AVX or without),
and others in another version of XLA: the file names the one it was written with.
"""

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jaxlib

from mt5x import losses, measured_memory, scoring, steps, train_state
from mt5x.decoding import DecodeConfig
from mt5x.measured_memory import abstract_batch, compiled, compiled_train_step
from mt5x.model import Transformer
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import make_mesh
from scripts import named_model

FILE = Path(__file__).with_name("budget.json")
COMMAND = "python -m tests.mt5x.budget"
# A step may change by this share before the file must: a metric more is no matter.
TOLERANCE = 0.01
_MIB = 2**20

Figures = dict[str, float]
Compile = Callable[[], jax.stages.Compiled]


def _model(name: str, layers: int | None = None, *bindings: str) -> EncoderDecoderModel:
    """A model file's network in float32, of so many layers in each stack if told."""
    model: EncoderDecoderModel = named_model.load(name, ["DTYPE='float32'", *bindings])
    if layers is None:
        return model
    config = dataclasses.replace(
        model.module.config, num_encoder_layers=layers, num_decoder_layers=layers
    )
    return dataclasses.replace(model, module=Transformer(config))


def _int32(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.int32)


def _float32(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def _loss() -> jax.stages.Compiled:
    def value(*arguments: jax.Array) -> jax.Array:
        return losses.cross_entropy(*arguments, z_loss=1e-4)[0]

    rows = (32, 128)
    shapes = (_float32(*rows, 768), _float32(768, 250112), _int32(*rows), _float32(*rows))
    return compiled(jax.jit(jax.value_and_grad(value, argnums=(0, 1))).lower(*shapes))


def _train(layers: int | None) -> jax.stages.Compiled:
    model = _model("mt5_small", layers)
    return compiled_train_step(model, make_mesh(1, 1), abstract_batch(8, 128, 32))


def _train_on_mesh(name: str, layers: int, *bindings: str) -> jax.stages.Compiled:
    batch = abstract_batch(32, 512, 128, packed=True)
    return compiled_train_step(_model(name, layers, *bindings), make_mesh(2, 2, 2), batch)


def _teacher_forced() -> jax.stages.Compiled:
    model = _model("mt5_small")
    step: Any = steps.eval_step(model, make_mesh(1, 1))
    return compiled(step.lower(_params(model), abstract_batch(32, 128, 32)))


def _labels() -> jax.stages.Compiled:
    model = _model("mt5_small")
    step: Any = steps.label_step(model, make_mesh(1, 1))
    prefixes = scoring.Prefixes(_int32(4), _int32(3, 2))  # type: ignore[arg-type]
    return compiled(step.lower(_params(model), _int32(32, 128), _int32(3, 2), prefixes))


def _greedy() -> jax.stages.Compiled:
    model = _model("mt5_small")
    step: Any = steps.decode_step(model, make_mesh(1, 1), DecodeConfig(max_length=128))
    key = jax.eval_shape(lambda: jax.random.key(0))
    batch = {"tokens": _int32(32, 128), "rows": _int32(32)}
    return compiled(step.lower(_params(model), batch, key))


def _params(model: EncoderDecoderModel) -> Any:
    return train_state.abstract_state(model).params


# What is compiled, by the name it has in the file. Sizes are sequences x inputs / targets.
QUICK: dict[str, Compile] = {
    "loss with its gradients, 32x128 targets, width 768, vocabulary 250112": _loss,
    "train, mt5_small of 1+1 layers, 8x128/32, float32": lambda: _train(1),
    "train, mt5_tiny of 1+1 layers, 32x512/128 packed, mesh 2x2x2": lambda: _train_on_mesh(
        "mt5_tiny", 1
    ),
    "evaluate with teacher forcing, mt5_small, 32x128/32, float32": _teacher_forced,
    "score XNLI's 3 labels, mt5_small, 32x128, float32": _labels,
    "decode greedily, mt5_small, 32x128/128, float32": _greedy,
}
SLOW: dict[str, Compile] = {
    "train, mt5_small, 8x128/32, float32": lambda: _train(None),
    "train, mt5_base of 2+2 layers, 32x512/128 packed, mesh 2x2x2, scanned, recomputed": lambda: (
        _train_on_mesh("mt5_base", 2, "REMAT_POLICY='full'", "SCAN_LAYERS=True")
    ),
}


def figures(step: jax.stages.Compiled) -> Figures:
    """What the file keeps of a compiled step."""
    memory = measured_memory.of(step)
    cost: Any = step.cost_analysis()
    return {
        "GFLOP": round(cost["flops"] / 1e9, 4),
        "MiB of temporaries": round(memory.temporaries / _MIB, 2),
        "MiB at the peak": round(memory.peak / _MIB, 2),
        "MiB donated": round(memory.donated / _MIB, 2),
    }


def complaints(name: str, found: Figures, budget: Figures) -> list[str]:
    """A sentence for each figure of a step that is not what the budget says."""
    return [
        f"{name}: {figure} went {'up' if found[figure] > budget[figure] else 'down'} from "
        f"{budget[figure]:g} to {found[figure]:g}; if that is meant, say why in the commit and "
        f"rewrite the budget: {COMMAND} '{name}'"
        for figure in budget
        if abs(found[figure] - budget[figure]) > TOLERANCE * budget[figure]
    ]


def read() -> dict[str, Any]:
    """The file: {'jaxlib': version, 'steps': {name: figures}}."""
    kept: dict[str, Any] = json.loads(FILE.read_text())
    return kept


def main(words: list[str]) -> int:
    """Rewrites the file, all of it or the steps whose names have one of `words`."""
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", 8)
    known = QUICK | SLOW
    here = jaxlib.__version__
    old: dict[str, Any] = read() if FILE.exists() else {"jaxlib": here, "steps": {}}
    if words and old["jaxlib"] != here:
        print(f"{FILE.name} is of jaxlib {old['jaxlib']}, here is {here}: rewrite all of it")
        return 2
    chosen = [name for name in known if not words or any(word in name for word in words)]
    if not chosen:
        print(f"no step is called so; known are: {'; '.join(known)}")
        return 2
    new = {name: old["steps"][name] for name in known if name in old["steps"]}
    for name in chosen:
        found = figures(known[name]())
        changed = found != new.get(name)
        print(f"{name}: {found}{' (changed)' if changed else ''}", flush=True)
        new[name] = found
    ordered = {name: new[name] for name in known if name in new}
    FILE.write_text(json.dumps({"jaxlib": here, "steps": ordered}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
