"""The compiled step holds no tensor whole that the table splits, and talks as it was designed to.

The design, by mesh axis:
model  partial products of attention, feed-forward, embedding and logits are summed (all-reduce of
       activations and of the softmax's statistics);
fsdp   kernels and tables are gathered when used (all-gather), never activations;
data and fsdp  gradients are summed (all-reduce, or reduce-scatter where the backend has it);
both of the latter also exchange Adafactor's vectors and scalars. Nothing else is said: no
all-to-all, no permutation, no logits.
"""

import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mt5x import losses, optimizers
from mt5x.memory_plan import memory_of
from mt5x.model import T5Config, Transformer
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import Partitioner
from mt5x.step_setting import Setting
from tests.mt5x.compiled_step import XXL, collectives, compile_step, replicated

REPOSITORY = Path(__file__).resolve().parents[2]
SMALL = T5Config(
    vocab_size=512,
    emb_dim=160,
    num_heads=4,
    head_dim=64,
    mlp_dim=320,
    num_encoder_layers=2,
    num_decoder_layers=2,
)


def check(found: list[dict[str, Any]], config: T5Config, mesh: dict[str, int]) -> None:
    """Fails on a collective that the design does not have, or lacks."""
    joined, model = config.num_heads * config.head_dim, mesh["model"]
    widths = {joined // model, config.mlp_dim // model, config.vocab_size // model}
    kernels = {(config.emb_dim, width) for width in widths}
    kernels |= {(width, config.emb_dim) for width in widths}
    kinds = set()
    for one in found:
        axes, shape = set(one["axes"]), tuple(n for n in one["shape"] if n != 1)
        assert one["kind"] in ("all-gather", "all-reduce", "reduce-scatter"), one
        if math.prod(shape) < 2**12 or len(shape) < 2:
            continue  # Adafactor's means, metrics, the softmax's statistics.
        if one["kind"] == "all-gather":
            assert axes == {"fsdp"}, one
            assert shape in kernels, one
            kinds.add("gathered kernels")
        elif axes == {"model"}:
            assert shape[-1] == config.emb_dim, one
            kinds.add("summed activations")
        else:
            assert axes <= {"data", "fsdp"}, one
            assert shape in kernels, one
            kinds.add("summed gradients")
    expected = {"summed gradients"} if mesh["data"] * mesh["fsdp"] > 1 else set()
    expected |= {"summed activations"} if model > 1 else set()
    expected |= {"gathered kernels"} if mesh["fsdp"] > 1 else set()
    assert kinds == expected


@pytest.mark.parametrize("sizes", [(2, 2), (4, 1), (1, 8)], ids=["2x2x2", "2x1x4", "1x8x1"])
def test_a_small_step(sizes):
    partitioner = Partitioner(*sizes)
    compiled, state = compile_step(SMALL, partitioner, 16, 32, 24)
    mesh = dict(partitioner.mesh.shape)
    assert replicated(compiled, state, mesh) == []
    check(collectives(compiled.as_text(), tuple(mesh.values())), SMALL, mesh)


def test_a_small_step_of_adamw_with_a_part_frozen():
    partitioner = Partitioner(2, 2)
    compiled, state = compile_step(
        SMALL, partitioner, 16, 32, 24,
        optimizer_def=optimizers.AdamW(), freeze=("token_embedder/.*", "encoder/layers_0/.*"),
    )  # fmt: skip
    mesh = dict(partitioner.mesh.shape)
    assert replicated(compiled, state, mesh) == []
    assert not [path for path in state.opt_state["param_states"]["encoder"] if path == "layers_0"]
    check(collectives(compiled.as_text(), tuple(mesh.values())), SMALL, mesh)


def test_a_loss_in_pieces_sums_the_gradient_of_its_kernel_once(monkeypatch):
    """And not after each piece, which would send as much as the kernel each time."""
    config = dataclasses.replace(SMALL, num_encoder_layers=1, num_decoder_layers=1)
    # 16 rows over 4 groups, half of the vocabulary: 4 of the 24 positions at once.
    monkeypatch.setattr(losses, "LOGITS_BYTES", 4 * 4 * 256 * 4)
    partitioner = Partitioner(2, 2)
    compiled, _ = compile_step(config, partitioner, 16, 16, 24)
    mesh = dict(partitioner.mesh.shape)
    found = collectives(compiled.as_text(), tuple(mesh.values()))
    check(found, config, mesh)
    assert any("/while/body/" in one["source"] for one in found)
    kernel = (config.emb_dim, config.vocab_size // 2)
    sums = [
        one
        for one in found
        if tuple(n for n in one["shape"] if n != 1) == kernel and one["kind"] != "all-gather"
    ]
    assert sums
    assert not [one for one in sums if "/while/body/" in one["source"]]


@pytest.mark.parametrize(
    ("devices", "model", "fsdp", "batch"),
    [
        pytest.param(8, 8, 1, 8, marks=pytest.mark.exhaustive),
        pytest.param(32, 4, 8, 32, marks=pytest.mark.slow),
        pytest.param(256, 8, 8, 256, marks=pytest.mark.exhaustive),
    ],
)
def test_all_of_xxl(devices, model, fsdp, batch):
    setting = {"num_partitions": model, "fsdp_partitions": fsdp, "batch_size": batch}
    command = [sys.executable, "-m", "tests.mt5x.compiled_step", str(devices), json.dumps(setting)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["parameters"] == 12_921_057_280
    assert math.prod(result["mesh"].values()) == devices
    assert result["replicated"] == []
    check(result["collectives"], XXL, result["mesh"])
    # What comes in is what `mt5x plan` says, and a batch that is small beside it.
    network = EncoderDecoderModel(Transformer(XXL), optimizers.Adafactor())
    planned = memory_of(network, Setting(devices, Partitioner(model, fsdp), batch_size=batch))
    assert result["argument_bytes"] == pytest.approx(
        planned.parameters + planned.optimizer, rel=1e-3
    )


def test_a_tensor_left_whole_would_be_found():
    partitioner = Partitioner(1, 1)
    compiled, state = compile_step(
        dataclasses.replace(SMALL, num_encoder_layers=1), partitioner, 8, 8, 8
    )
    assert replicated(compiled, state, {"data": 1, "fsdp": 2, "model": 4})
