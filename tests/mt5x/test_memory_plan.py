"""The plan's bytes are those of the shardings, near those of XLA, and its advice fits."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from mt5x import device_kinds, measured_memory, memory_plan, optimizers
from mt5x.device_kinds import GIB
from mt5x.errors import UserError
from mt5x.memory_plan import fits, memory_of, what_fits
from mt5x.model import T5Config, Transformer
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import Partitioner, batch_parts, make_mesh
from mt5x.step_setting import Setting
from scripts import main
from tests.mt5x import device_compiler
from tests.mt5x.compiled_step import XXL

SMALL = T5Config(
    vocab_size=512,
    emb_dim=128,
    num_heads=4,
    head_dim=32,
    mlp_dim=256,
    num_encoder_layers=2,
    num_decoder_layers=2,
)


UNROLLED = dataclasses.replace(XXL, scan_layers=False)


def model(config: T5Config = XXL) -> EncoderDecoderModel:
    return EncoderDecoderModel(Transformer(config), optimizers.Adafactor())


def test_parameters_gradients_and_slots_are_counted_by_their_shardings():
    count = 12_921_057_280
    whole = memory_of(model(), Setting(32))
    assert whole.parameters == whole.gradients == 4 * count
    split = memory_of(model(), Setting(32, Partitioner(4, 8)))
    # Vectors and the small tables of relative positions are not, or only partly, split.
    assert 4 * count / 32 < split.parameters < 4 * count / 32 + 4 * 2**20
    parts = memory_of(model(), Setting(32, Partitioner(4, 8), num_microbatches=2))
    assert parts.gradients == split.gradients
    # The sum of the parts' gradients lies beside what one part needs.
    assert parts.at_once > parts.gradients + parts.logits
    assert parts.activations < split.activations


def test_adamw_s_moments_are_counted_and_split_like_the_parameters():
    adamw = dataclasses.replace(model(), optimizer_def=optimizers.AdamW())
    for setting in (Setting(32), Setting(32, Partitioner(4, 8))):
        needed = memory_of(adamw, setting)
        assert needed.optimizer == 2 * needed.parameters + 4  # and the step
    assert memory_of(model(), Setting(32)).optimizer < 0.01 * needed.parameters * 32


def test_what_is_frozen_needs_neither_gradient_nor_slots_nor_activations():
    setting = Setting(32, Partitioner(4, 8), "full")
    adamw = dataclasses.replace(model(), optimizer_def=optimizers.AdamW())
    everything = memory_of(adamw, setting)

    def frozen(*patterns: str) -> memory_plan.Memory:
        return memory_of(dataclasses.replace(adamw, freeze=patterns), setting)

    half = frozen("encoder/.*", "token_embedder/.*")
    assert half.parameters == everything.parameters
    assert half.gradients < 0.6 * everything.gradients
    assert half.optimizer == 2 * half.gradients + 4
    assert half.activations < everything.activations
    # The embedding lies before the encoder, so its gradient passes all of it.
    assert frozen("encoder/.*").activations == everything.activations
    last = r"(encoder|token_embedder)/.*|decoder/(?!layers_23/|decoder_norm|logits).*"
    unrolled = dataclasses.replace(
        adamw, module=Transformer(dataclasses.replace(XXL, scan_layers=False)), freeze=(last,)
    )
    assert memory_of(unrolled, setting).activations < half.activations


def test_activations_shrink_with_recomputation_devices_and_microbatches():
    policies = [
        memory_of(model(), Setting(32, Partitioner(4), policy)).activations
        for policy in ("none", "minimal", "full")
    ]
    assert policies[0] > policies[1] > policies[2]
    less = Setting(32, Partitioner(4), "full", num_microbatches=2)
    assert memory_of(model(), less).activations < policies[2]
    fewer_rows = Setting(32, Partitioner(4), "full", batch_size=64)
    assert memory_of(model(), fewer_rows).activations == memory_of(model(), less).activations


def check_peak(config: T5Config, setting: Setting, **settings: Any) -> None:
    """Fails where plan and compiler differ by more than 15%."""
    config = dataclasses.replace(config, remat_policy=setting.remat_policy)
    network = dataclasses.replace(model(config), **settings)
    mesh = make_mesh(*setting.partitioner.axis_sizes(setting.devices))
    batch = measured_memory.abstract_batch(
        setting.batch_size, setting.inputs, setting.targets, packed=True
    )
    found = measured_memory.of(
        measured_memory.compiled_train_step(network, mesh, batch, setting.num_microbatches)
    )
    needed = memory_of(network, setting)
    rows = sum(array.size * 4 for array in batch.values()) // batch_parts(mesh)
    state = needed.parameters + needed.optimizer
    assert found.arguments == pytest.approx(state + rows, abs=2**13)
    assert found.donated == pytest.approx(state, abs=2**13)
    assert needed.total == pytest.approx(found.peak, rel=0.15)


# XLA's CPU backend would undo what is computed again (mt5x.model.stack.compiler_options): then
# 'full' would need what 'none' does.
@pytest.mark.parametrize(
    "policy",
    [
        "none",
        "full",
        pytest.param("minimal", marks=pytest.mark.slow),
    ],
)
def test_the_plan_is_within_15_percent_of_the_compiled_step(policy):
    check_peak(SMALL, Setting(1, Partitioner(), policy, batch_size=16, inputs=256, targets=64))


TRUE_WIDTH = T5Config(
    vocab_size=250112,
    emb_dim=512,
    num_heads=6,
    mlp_dim=1024,
    num_encoder_layers=2,
    num_decoder_layers=2,
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "changes"),
    [
        (Setting(1, batch_size=8, inputs=128, targets=32), {}),
        (Setting(1, batch_size=8, inputs=128, targets=32), {"optimizer_def": optimizers.AdamW()}),
        (Setting(1, batch_size=8, inputs=128, targets=32), {"freeze": ("token_embedder/.*",)}),
        (Setting(1, num_microbatches=2, batch_size=8, inputs=128, targets=32), {}),
        (Setting(1, remat_policy="full", batch_size=32, inputs=512, targets=128), {}),
        (Setting(1, remat_policy="minimal", batch_size=32, inputs=512, targets=128), {}),
        (Setting(8, Partitioner(2, 2), batch_size=32, inputs=512, targets=128), {}),
        (Setting(8, batch_size=64, inputs=128, targets=32), {}),
        (Setting(8, Partitioner(1, 8), batch_size=64, inputs=128, targets=32), {}),
    ],
    ids=[
        "adafactor",
        "adamw",
        "frozen",
        "microbatches",
        "full",
        "minimal",
        "2x2x2",
        "8x1x1",
        "1x8x1",
    ],
)
def test_so_it_is_at_mt5_small_s_width(setting, changes):
    check_peak(TRUE_WIDTH, setting, **changes)


TOO_LITTLE = pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="17% less than XLA's TPU compiler assigns, of which fragmentation is a fifth",
)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case,
            id=case.name,
            marks=TOO_LITTLE if case.device == "v5e" and case.partitions == (2, 4) else (),
        )
        for case in device_compiler.CASES
    ],
)
def test_so_it_is_at_full_size_on_gpus_and_tpus(case):
    found = memory_of(*device_compiler.planned(case))
    assert found.total == pytest.approx(device_compiler.peaks()[case.name], rel=0.15)


def test_a_gpu_is_planned_with_the_attention_that_it_will_use():
    """Which holds no scores, on one and on several of them; GPUs before Hopper hold them."""
    one = Setting(1, batch_size=16, target=device_kinds.target_of("h200"))
    activations = {
        name: memory_of(model(UNROLLED), setting).activations
        for name, setting in {
            "h200": one,
            "two of them": dataclasses.replace(one, devices=2, batch_size=32),
            "a100": dataclasses.replace(one, target=device_kinds.target_of("a100")),
        }.items()
    }
    assert activations["h200"] < 0.5 * activations["a100"]
    assert activations["two of them"] == activations["h200"]


@pytest.mark.parametrize("device", [None, "cpu", "h200", "a100", "v5e"])
@pytest.mark.parametrize(
    "freeze",
    [
        (),
        ("token_embedder/.*",),
        (r"decoder/logits_dense/.*",),
        (r"(encoder|decoder)/.*",),
        (r"token_embedder/.*|encoder/.*|decoder/(?!layers_1/).*",),
    ],
    ids=["nothing", "embedding", "logits", "all but the embedding", "all but a layer"],
)
def test_any_part_may_be_frozen_on_any_device(device, freeze):
    """Whatever is trained has a gradient, of half the parameters' width at least."""
    config = dataclasses.replace(SMALL, vocab_size=250112, dtype=jnp.bfloat16)
    network = dataclasses.replace(model(config), freeze=freeze)
    for split in (Setting(1), Setting(8), Setting(8, Partitioner(2, 4), "full")):
        for parts in (1, 2):
            setting = dataclasses.replace(
                split,
                batch_size=32,
                num_microbatches=parts,
                inputs=128,
                targets=64,
                target=device_kinds.target_of(device),
            )
            found = memory_of(network, setting)
            assert found.at_once >= found.gradients // 2 > 0


def test_the_advice_fits_and_what_fits_is_left_alone():
    setting = Setting(32)
    assert not fits(memory_of(model(), setting), 32 * GIB)
    advice = what_fits(model(), setting, 32 * GIB)
    assert advice is not None
    assert fits(memory_of(model(), advice), 32 * GIB)
    assert dataclasses.replace(
        advice, partitioner=Partitioner(), remat_policy="none", num_microbatches=1
    ) == setting  # fmt: skip
    assert what_fits(model(), advice, 32 * GIB) == advice
    assert what_fits(model(), setting, GIB) is None


def test_what_training_would_refuse_is_refused():
    with pytest.raises(UserError, match="num_partitions=3"):
        memory_of(model(), Setting(32, Partitioner(3)))
    with pytest.raises(UserError, match="BATCH_SIZE=100"):
        memory_of(model(), Setting(32, batch_size=100))


def test_memory_is_told_by_device_or_amount():
    assert device_kinds.capacity("v5e", None) == 16 * GIB
    assert device_kinds.capacity(None, "16GiB") == device_kinds.capacity(None, "16G") == 16 * GIB
    assert device_kinds.capacity(None, None) is None
    with pytest.raises(UserError, match="did you mean h100"):
        device_kinds.capacity("h10", None)
    with pytest.raises(UserError, match="write it as 16GiB"):
        device_kinds.capacity(None, "lots")


def test_the_command_prints_mesh_shardings_memory_and_advice(capsys):
    arguments = ["plan", "--model=mt5_small", "--devices=8", "--num_partitions=2"]
    assert main.main([*arguments, "--memory=8GiB"]) == 1
    printed = capsys.readouterr().out
    assert "data 4 x fsdp 1 x model 2" in printed
    assert "300,176,768 parameters" in printed
    assert "does not fit" in printed
    assert "--remat_policy=" in printed
    assert main.main([*arguments, "--device=h200"]) == 0
    assert "\nfits: h200" in capsys.readouterr().out
    assert main.main(["plan", "--model=mt5_smal", "--devices=8"]) == 2
    assert "did you mean mt5_small" in capsys.readouterr().err
    adamw = ["--gin.OPTIMIZER=@optimizers.AdamW()", "--gin.FREEZE=['encoder/.*']"]
    assert main.main([*arguments, *adamw]) == 0
    printed = capsys.readouterr().out
    assert "281,293,504 are trained, by AdamW" in printed
    assert "1/2, frozen" in printed
    assert main.main([*arguments, "--gin.FREEZE=['encodr/.*']"]) == 2
    assert "did you mean encoder/.*" in capsys.readouterr().err
    # No array of the model was made.
    assert all(array.size < 2**20 for array in jax.live_arrays())
    assert jnp.bfloat16 == XXL.dtype


@pytest.mark.slow
def test_the_command_compiles_on_demand(capsys):
    arguments = ["plan", "--model=mt5_tiny", "--devices=2", "--batch_size=8", "--compile"]
    assert main.main([*arguments, "--inputs=32", "--targets=16"]) == 0
    assert "by XLA's compiler for 2 cpu devices" in capsys.readouterr().out
    assert main.main([*arguments, "--devices=64", "--batch_size=64"]) == 2
    assert "JAX_NUM_CPU_DEVICES=64" in capsys.readouterr().err
