"""Speed, MFU, and how progress is shown."""

import io
import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mt5x import flops, hardware, losses, progress
from mt5x.model import T5Config, Transformer
from mt5x.throughput import Throughput

CONFIG = T5Config(
    vocab_size=1024, emb_dim=128, num_heads=4, head_dim=48, mlp_dim=320,
    num_encoder_layers=2, num_decoder_layers=3, dropout_rate=0.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "teraflops"),
    [
        ("TPU v2", 22.5),
        ("TPU v3", 61.5),
        ("TPU v4", 275.0),
        ("TPU v5 lite", 197.0),
        ("TPU v5", 459.0),
        ("TPU v5p", 459.0),
        ("TPU v6 lite", 918.0),
        ("Tesla V100-SXM2-16GB", 125.0),
        ("Tesla T4", 65.0),
        ("NVIDIA L4", 121.0),
        ("NVIDIA A100-SXM4-80GB", 312.0),
        ("NVIDIA A100 80GB PCIe", 312.0),
        ("NVIDIA H100 80GB HBM3", 989.5),
        ("NVIDIA H100 PCIe", 756.0),
        ("NVIDIA H200", 989.5),
        # What is not known is not guessed from what is like it.
        ("cpu", None),
        ("TPU v4 lite", None),
        ("NVIDIA L40S", None),
        ("NVIDIA T400", None),
        ("NVIDIA GeForce RTX 4090", None),
        ("Tesla V100-FHHL-16GB", None),
    ],
)
def test_peaks_are_found_by_the_names_that_jax_gives(kind, teraflops):
    assert hardware.peak_flops(kind) == (None if teraflops is None else teraflops * 1e12)


def products(jaxpr: Any) -> float:
    """FLOPs of all matrix products of a program."""
    total = 0.0
    for equation in jaxpr.eqns:
        inner = [v for v in equation.params.values() if hasattr(v, "jaxpr") or hasattr(v, "eqns")]
        for one in inner:
            total += products(getattr(one, "jaxpr", one))
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            summed = np.prod([equation.invars[0].aval.shape[axis] for axis in contracted])
            total += 2.0 * float(summed) * float(np.prod(equation.outvars[0].aval.shape))
    return total


def test_flops_are_those_of_the_products_in_the_gradient():
    rows, inputs, targets = 4, 96, 64
    shapes = {
        "encoder_input_tokens": (rows, inputs),
        "decoder_input_tokens": (rows, targets),
        "decoder_target_tokens": (rows, targets),
    }
    batch = {name: jnp.ones(shape, jnp.int32) for name, shape in shapes.items()}
    network = Transformer(CONFIG)
    tokens = jnp.ones((1, 1), jnp.int32)
    params = jax.eval_shape(
        lambda: network.init(jax.random.key(0), tokens, tokens, tokens, enable_dropout=False)
    )["params"]
    gradient = jax.grad(lambda p: losses.loss_fn(network, p, batch, None)[0])
    found = products(jax.make_jaxpr(gradient)(params).jaxpr)
    expected = flops.training_flops(CONFIG, rows * inputs, rows * targets, inputs, targets)
    # The bias of relative positions has small products of its own, which the formula leaves out.
    assert found == pytest.approx(expected, rel=1e-3)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def device_of_kind(kind: str) -> Any:
    return types.SimpleNamespace(device_kind=kind)


def metrics_of(inputs: float, targets: float) -> dict[str, tuple[float, float]]:
    return {
        "non_padding_fraction/encoder": (inputs, 512.0),
        "non_padding_fraction/decoder": (targets, 256.0),
    }


BATCH = {"encoder_input_tokens": np.ones((8, 64)), "decoder_target_tokens": np.ones((8, 32))}


def test_only_training_counts_and_only_real_tokens():
    clock = Clock()
    speed = Throughput(CONFIG, [device_of_kind("NVIDIA H200")] * 2, clock=clock)
    speed.start()
    clock.now += 2.0
    speed.start()
    speed.count(metrics_of(300, 100), BATCH)
    clock.now += 2.0
    speed.count(metrics_of(100, 100), BATCH)
    speed.stop()
    clock.now += 50.0  # An evaluation.
    assert speed.tokens_per_second == 150.0
    done = flops.training_flops(CONFIG, 400, 200, 64, 32)
    assert speed.read() == {
        "timing/steps_per_second": 0.5,
        "timing/tokens_per_second": 150.0,
        "timing/mfu": pytest.approx(done / 4.0 / (2 * 989.5e12)),
    }
    speed.start()
    clock.now += 1.0
    speed.count(metrics_of(10, 10), BATCH)
    assert speed.read()["timing/tokens_per_second"] == 20.0
    clock.now += 4.0
    speed.count(metrics_of(10, 10), BATCH)
    assert speed.read()["timing/tokens_per_second"] == 5.0


@pytest.mark.parametrize(
    ("kinds", "frozen"),
    [(["cpu"], ()), (["NVIDIA H200", "NVIDIA GeForce RTX 4090"], ()), (["NVIDIA H200"], ("a/.*",))],
)
def test_mfu_is_left_out_where_peak_or_flops_are_not_known(kinds, frozen):
    speed = Throughput(CONFIG, [device_of_kind(kind) for kind in kinds], frozen)
    speed.start()
    speed.count(metrics_of(10, 10), BATCH)
    assert "timing/mfu" not in speed.read()


def test_lines_show_figures_and_the_time_left(monkeypatch):
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", -1.0)
    clock = Clock()
    monkeypatch.setattr(progress.time, "monotonic", clock)
    stream = io.StringIO()
    shown = progress.Progress("train", 1000, done=100, stream=stream)
    clock.now += 300.0  # Compilation, which says nothing of the time left.
    shown.advance()
    clock.now += 10.0
    shown.advance(1, {"loss": 2.34567, "tokens/s": 123456.7})
    assert stream.getvalue() == (
        "train: step 101/1000\ntrain: step 102/1000, loss 2.35, tokens/s 123,457, 2 h 30 min left\n"
    )
    shown.close()


def test_other_processes_show_nothing():
    stream = io.StringIO()
    silent = progress.Progress("train", 10, stream=stream, shown=False)
    silent.advance(1, {"loss": 1.0})
    silent.close()
    assert stream.getvalue() == ""
