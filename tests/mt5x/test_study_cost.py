"""Predicted costs: by hand, additive, never less for more work, and refused where it cannot fit."""

import dataclasses
import re
import shlex
from typing import Any

import gin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mt5x import config, flops, memory_plan, optimizers
from mt5x.errors import UserError
from mt5x.model import T5Config, Transformer
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import Partitioner
from mt5x.step_setting import Setting
from mt5x.studies import accelerators, cost, expansion, fitting, forecast, plan, workload
from mt5x.studies.cost import Assumptions, Cost
from mt5x.studies.stage import Stage
from mt5x.studies.workload import Reader, Workload
from scripts import main
from tests.conftest import REPOSITORY


@pytest.fixture(autouse=True)
def _clean_gin():
    yield
    gin.clear_config()


def network(width: int = 64, layers: int = 2) -> EncoderDecoderModel:
    config = T5Config(
        vocab_size=256,
        emb_dim=width,
        num_heads=2,
        head_dim=width // 2,
        mlp_dim=2 * width,
        num_encoder_layers=layers,
        num_decoder_layers=layers,
    )
    return EncoderDecoderModel(Transformer(config), optimizers.Adafactor())


def training(steps: int = 100, batch_size: int = 8, width: int = 64, layers: int = 2) -> Workload:
    return Workload(network(width, layers), 32, 16, batch_size, steps=steps, scored=40, decoded=10)


V5E = accelerators.named("v5e-8")


def predicted(*arguments: Any) -> Any:
    """`cost.of_stage`, any of whose figures may be None."""
    return cost.of_stage(*arguments)


def test_a_stage_agrees_with_a_calculation_by_hand():
    work = Workload(
        network(), inputs=32, targets=16, batch_size=8, steps=100, scored=40, decoded=10,
        hypotheses=4, checkpoints=3,
    )  # fmt: skip
    # E = J = 64, M = 128, two input projections (gelu and linear), V = 256, two layers a stack.
    encoder = 8 * 64 * 64 + 4 * 32 * 64 + 6 * 64 * 128
    decoder = 8 * 64 * 64 + 4 * 16 * 64 + (4 * 64 * 64 + 4 * 32 * 64) + 6 * 64 * 128
    an_input = 2 * encoder + 2 * 4 * 64 * 64
    a_target = 2 * decoder + 2 * 64 * 256
    row = 32 * an_input + 16 * a_target
    trained = 3 * 800 * row
    scored = 40 * row
    decoded = 10 * (32 * an_input + 4 * 16 * a_target)
    assumed = Assumptions(mfu=0.5, decoding_mfu=0.1, start_minutes=6, price=2.0)
    found = cost.of_stage(work, V5E, assumed)
    assert found.training_flops == trained
    assert found.evaluation_flops == scored + decoded
    peak = 8 * 197e12
    hours = ((trained + scored) / (0.5 * peak) + decoded / (0.1 * peak)) / 3600 + 0.1
    assert found.hours == pytest.approx(hours, rel=1e-12)
    assert found.chip_hours == pytest.approx(8 * hours, rel=1e-12)
    assert found.dollars == pytest.approx(16 * hours, rel=1e-12)
    assert found.steps == 100
    assert work.model is not None
    assert found.disk == 3 * workload.checkpoint_bytes(work.model)


def test_a_checkpoint_is_parameters_and_slots_in_float32():
    adamw = dataclasses.replace(network(), optimizer_def=optimizers.AdamW())
    needed = memory_plan.memory_of(adamw, Setting(1, batch_size=8))
    # Two moments a parameter, and the optimizer's count of steps.
    assert needed.optimizer == 2 * needed.parameters + 4
    assert workload.checkpoint_bytes(adamw) == 3 * needed.parameters + 4


WORKS = st.builds(
    training,
    steps=st.integers(0, 10_000),
    batch_size=st.integers(1, 512),
    width=st.sampled_from([32, 64]),
    layers=st.integers(1, 3),
)


@settings(max_examples=15, deadline=None)
@given(st.lists(WORKS, max_size=4))
def test_the_cost_of_stages_is_the_sum_of_theirs(works):
    costs = [cost.of_stage(work, V5E) for work in works]
    whole = cost.total(costs)
    for field in dataclasses.fields(Cost):
        parts = sum(getattr(one, field.name) for one in costs)
        assert getattr(whole, field.name) == pytest.approx(parts)
    # Two halves of a training, but for the second start, cost what the whole does.
    one = training(steps=200)
    half = dataclasses.replace(one, steps=100, scored=20, decoded=5)
    free = Assumptions(start_minutes=0)
    both = cost.total([cost.of_stage(half, V5E, free)] * 2)
    assert both.hours == pytest.approx(cost.of_stage(one, V5E, free).hours)


@settings(max_examples=15, deadline=None)
@given(WORKS, st.sampled_from(["steps", "batch_size", "scored", "decoded", "inputs", "targets"]))
def test_more_of_anything_costs_more(work, what):
    more = dataclasses.replace(work, **{what: 2 * getattr(work, what) + 1})
    less, greater = predicted(work, V5E), predicted(more, V5E)
    idle = work.steps == 0 and what == "batch_size"
    assert idle or greater.flops > less.flops
    assert greater.hours >= less.hours
    assert greater.dollars >= less.dollars


def test_a_larger_network_costs_more_and_whole_layers_computed_again_a_third_more():
    small, wide, deep = training(), training(width=128), training(layers=3)
    for larger in (wide, deep):
        assert predicted(larger, V5E).hours > predicted(small, V5E).hours
    alone = dataclasses.replace(small, scored=0, decoded=0)
    free = Assumptions(start_minutes=0)
    full = fitting.wanted(alone, 8)
    again = predicted(alone, V5E, free, dataclasses.replace(full, remat_policy="full"))
    plain = predicted(alone, V5E, free, full)
    assert again.hours == pytest.approx(4 / 3 * plain.hours)
    assert again.flops == plain.flops


def test_what_is_unknown_is_left_open_and_can_be_given():
    cpu = accelerators.named("cpu-2")
    unknown = predicted(training(), cpu)
    assert (unknown.hours, unknown.chip_hours, unknown.dollars) == (None, None, None)
    assert cost.total([unknown, Cost()]).hours is None
    assert unknown.flops > 0
    known = predicted(training(), cpu, Assumptions(device_teraflops=0.17, price=0.05))
    assert known.dollars == pytest.approx(2 * known.hours * 0.05)


@pytest.mark.parametrize(
    ("name", "chips", "devices", "teraflops", "gib", "price"),
    [
        ("v5e-8", 8, 8, 197, 16, 1.20),
        ("v5litepod-8", 8, 8, 197, 16, 1.20),
        # Named by TensorCores, of which a chip has two.
        ("v5p-64", 32, 32, 459, 95, 4.20),
        ("v4-8", 4, 4, 275, 32, 3.22),
        ("v3-8", 4, 8, 61.5, 16, None),
        ("v6e-4", 4, 4, 918, 32, 2.70),
        ("h200", 1, 1, 989.5, 141, 7.912),
        ("h100-8", 8, 8, 989.5, 80, 6.88),
        ("a100-80", 1, 1, 312, 80, 3.4309),
        ("a100-80-4", 4, 4, 312, 80, 3.4309),
    ],
)
def test_names_of_accelerators(name, chips, devices, teraflops, gib, price):
    found = accelerators.named(name)
    assert (found.chips, found.devices) == (chips, devices)
    assert found.device_flops == teraflops * 1e12
    assert found.device_memory == gib * 2**30
    assert found.price == price
    assert found.name == name.replace("litepod", "e")
    assert [one.chips for one in accelerators.larger(found)][:1] > [chips]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("v5x-8", "unknown accelerator v5x-8; did you mean v5"),
        ("h200-0", "unknown accelerator h200-0"),
        ("v5e-12", "there is no TPU slice v5e-12; there are v5e-1, v5e-4, v5e-8"),
        ("v5p-9", "there is no TPU slice v5p-9; there are v5p-8, v5p-16 and so on"),
        ("v3-4", "there is no TPU slice v3-4; there are v3-8, v3-32"),
    ],
)
def test_accelerators_that_there_are_not(name, message):
    with pytest.raises(UserError, match=message):
        accelerators.named(name)


@pytest.mark.parametrize(
    ("flag", "change"),
    [
        ("--mfu", {"mfu": 0.0}),
        ("--decoding_mfu", {"decoding_mfu": 1.5}),
        ("--price", {"price": -1}),
    ],
)
def test_assumptions_that_cannot_be(flag, change):
    with pytest.raises(UserError, match=flag):
        Assumptions(**change)


# Reading what stages compute from their configs.

BASE = "t5x_configs/models/mt5_base.gin"


def xnli(name: str, model: str = BASE, **macros: Any) -> Stage:
    """mT5's recipe for XNLI from a public checkpoint."""
    return Stage(
        name=name,
        kind="train",
        gin_files=(
            model, "t5x_configs/runs/finetune.gin", "t5x_configs/experiments/xnli_zeroshot.gin",
        ),
        macros={
            "INITIAL_CHECKPOINT_PATH": "checkpoints/checkpoint_1000000",
            "MODEL_DIR": "{folder}",
            **macros,
        },
        parents=(),
        seed=0,
        task="xnli",
    )  # fmt: skip


def evaluation(parent: Stage) -> Stage:
    return Stage(
        name=f"evaluate-{parent.name}",
        kind="evaluate",
        gin_files=(parent.gin_files[0], "t5x_configs/runs/evaluate.gin"),
        macros={
            "MIXTURE_OR_TASK_NAME": "xnli_zeroshot",
            "SPLIT": "test",
            "CHECKPOINT_PATH": f"{{{parent.name}}}",
            "EVAL_OUTPUT_DIR": "{folder}",
        },
        parents=(parent.name,),
        seed=0,
        task="xnli",
    )


def test_a_training_is_read_as_it_would_be_called():
    stages = [xnli("a"), xnli("b", TRAIN_STEPS_RELATIVE=1500, CHECKPOINTS_TO_KEEP=1)]
    reader = Reader(lambda task, split: 2490 if task.endswith(".sw") else None, 100)
    first, second = (one.work for one in forecast.of_stages(stages, V5E, reader=reader))
    assert (first.steps, first.batch_size, first.inputs, first.targets) == (10_000, 2048, 512, 24)
    assert (first.first_step, first.last_step) == (1_000_000, 1_010_000)
    # 10 evaluations of 15 languages: labels are scored, 20 batches of each teacher-forced.
    assert first.decoded == 0
    assert first.scored == 10 * (15 * 20 * 2048 + 14 * 100 + 2490)
    assert first.checkpoints == 10
    # Steps 1,001,000 and the last.
    assert second.scored == first.scored // 5
    assert second.checkpoints == 1


def test_the_best_checkpoint_is_kept_beside_the_newest():
    macros: dict[str, Any] = {"KEEP_BEST_METRIC": "eval/xnli_eval.en/accuracy", "EVAL_PERIOD": 400}
    stages = [
        xnli("all", **macros),
        xnli("one", **macros, CHECKPOINTS_TO_KEEP=1),
        xnli("none", EVAL_PERIOD=0, CHECKPOINT_PERIOD=0),
    ]
    works = [one.work for one in forecast.of_stages(stages, V5E)]
    # Every 1000 and every 400 steps of 10,000, those of both once.
    assert [work.checkpoints for work in works] == [10 + 25 - 5, 2, 1]
    assert works[2].scored == 0


def test_an_evaluation_is_as_long_as_what_its_checkpoint_was_trained_on():
    stages = [xnli("a"), evaluation(xnli("a"))]
    work = forecast.of_stages(stages, V5E, reader=Reader(assumed_examples=5010))[1].work
    assert (work.inputs, work.targets, work.steps, work.scored) == (512, 24, 0, 15 * 5010)


def test_a_checkpoint_from_elsewhere_is_evaluated_at_mt5_s_lengths():
    alone = dataclasses.replace(evaluation(xnli("a")), parents=())
    public = {**alone.macros, "CHECKPOINT_PATH": "checkpoints/checkpoint_1000000"}
    (found,) = forecast.of_stages([dataclasses.replace(alone, macros=public)], V5E)
    assert (found.work.inputs, found.work.targets) == (1024, 128)
    reader = Reader(assumed_lengths={"inputs": 64, "targets": 8})
    (short,) = forecast.of_stages([found.stage], V5E, reader=reader)
    assert (short.work.inputs, short.work.targets) == (64, 8)
    assert short.cost.flops < found.cost.flops


def test_total_steps_count_those_of_the_parent():
    pretrained = dataclasses.replace(
        xnli("pretrain", EVAL_PERIOD=0, TRAIN_STEPS_RELATIVE=300), name="pretrain"
    )
    tuned = dataclasses.replace(
        xnli("tune", TRAIN_STEPS=1_000_700, TRAIN_STEPS_RELATIVE=None), parents=("pretrain",)
    )
    works = [one.work for one in forecast.of_stages([pretrained, tuned], V5E)]
    assert [(work.first_step, work.steps) for work in works] == [(10**6, 300), (1_000_300, 400)]


def test_text_is_decoded_and_lm_statistics_are_scored_and_decoded():
    beam = Stage(
        name="beam",
        kind="evaluate",
        gin_files=(
            BASE, "t5x_configs/runs/evaluate.gin", "t5x_configs/experiments/panx_zeroshot.gin",
        ),
        macros={"CHECKPOINT_PATH": "x", "EVAL_OUTPUT_DIR": "y", "DECODE_KIND": "beam"},
        parents=(),
        seed=0,
        task="panx",
    )  # fmt: skip
    statistics = Stage(
        name="lm",
        kind="lm_statistics",
        gin_files=(BASE, "t5x_configs/runs/lm_statistics.gin"),
        macros={
            "CHECKPOINT_PATH": "x",
            "LANGUAGES": ["en", "sw"],
            "TASK_FEATURE_LENGTHS": {"inputs": 512, "targets": 114},
        },
        parents=(),
        seed=0,
        task="mc4",
    )
    baseline = dataclasses.replace(statistics, name="baseline", kind="majority_baseline")
    found = forecast.of_stages([beam, statistics, baseline], V5E, reader=Reader(assumed_examples=7))
    decoded, measured, nothing = (one.work for one in found)
    assert (decoded.scored, decoded.decoded, decoded.hypotheses) == (0, 70, 4)
    assert (decoded.inputs, decoded.targets) == (256, 192)
    assert (measured.scored, measured.decoded, measured.targets) == (14, 14, 114)
    assert nothing == workload.NOTHING
    assert found[2].cost == Cost()


def test_the_guide_shows_what_the_command_prints(tmp_path, monkeypatch, capsys):
    guide = (REPOSITORY / "docs" / "study_cost.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^```sh\nmt5x (study plan .+)\n```", guide, re.MULTILINE)
    (shown,) = re.findall(r"^```text\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    # Where no data is.
    monkeypatch.chdir(tmp_path)
    assert main.main(shlex.split(command)) == 0
    assert capsys.readouterr().out.endswith(f"\n\n{shown}")


@pytest.mark.slow
def test_the_guide_s_predictions_at_full_size():
    guide = (REPOSITORY / "docs" / "study_cost.md").read_text(encoding="utf-8")
    block = r"^```text (\w+) on ([\w-]+)\n(.*?)\n```"
    shown = re.findall(block, guide, re.MULTILINE | re.DOTALL)
    places = [(model, name) for model, name, _ in shown]
    base, xxl = "mt5_base", "mt5_xxl"
    works: dict[str, dict[str, Workload]] = {}
    assert places == [(base, "v5e-8"), (base, "h200"), (xxl, "v5p-64"), (xxl, "v5e-8")]
    for model, name, text in shown:
        if model not in works:
            bindings = [f"Study.model=t5x_configs/models/{model}.gin"]
            config.load(["t5x_configs/studies/real/language_pairs.gin"], bindings)
            stages = expansion.expand(config.call(plan.Study))
            works[model] = forecast.read(stages)
        accelerator = accelerators.named(name)
        if (model, name) == (xxl, "v5e-8"):
            with pytest.raises(UserError) as error:
                forecast.of_works(stages, works[model], accelerator)
            assert str(error.value) == text
        else:
            found = forecast.of_works(stages, works[model], accelerator)
            assert forecast.page(found, accelerator) == text


# Where it fits.


def test_what_does_not_fit_says_what_would():
    xxl = xnli("tune", "t5x_configs/models/mt5_xxl.gin", BATCH_SIZE=64)
    with pytest.raises(UserError) as error:
        forecast.of_stages([xxl], V5E)
    sentence = str(error.value)
    assert sentence.startswith("tune (a network of width 4096, 24 + 24 layers, 64 rows of 512/24")
    assert "does not fit v5e-8, 8 x 16.00 GiB" in sentence
    assert "; v5e-" in sentence
    assert "would hold it with " in sentence
    # And it is true.
    name = sentence.partition("; ")[2].split()[0]
    (one,) = forecast.of_stages([xxl], accelerators.named(name))
    assert one.setting is not None
    assert " ".join(fitting.bindings(one.work, one.setting)) in sentence
    assert one.work.model is not None
    needed = memory_plan.memory_of(one.work.model, one.setting)
    assert memory_plan.fits(needed, 16 * 2**30)


def test_a_network_that_no_slice_holds_is_refused():
    huge = dataclasses.replace(training(batch_size=1), model=network(width=2**18))
    with pytest.raises(UserError, match="nor does any v5e that there is"):
        fitting.fitted("huge", huge, accelerators.named("v5e-256"))


def test_a_config_that_fits_is_left_alone_and_a_batch_that_does_not_divide_is_arranged():
    work = training()
    assert fitting.fitted("a", work, V5E) == fitting.wanted(work, 8, "v5e")
    odd = dataclasses.replace(work, batch_size=14)
    setting = fitting.fitted("a", odd, V5E)
    assert setting is not None
    setting.check()
    assert fitting.bindings(odd, setting) == ["NUM_PARTITIONS=4"]


def test_parameters_that_are_only_read_are_split_until_half_a_device_holds_them():
    xxl = xnli("tune", "t5x_configs/models/mt5_xxl.gin")
    (one,) = forecast.of_stages([xxl], accelerators.named("v5p-64"))
    read = dataclasses.replace(one.work, steps=0)
    setting = fitting.fitted("evaluate", read, accelerators.named("v5e-8"))
    assert setting is not None
    assert setting.partitioner == Partitioner(1, 8)
    with pytest.raises(UserError, match=r"evaluate .* does not fit v5e-4.*v5e-8 would hold it"):
        fitting.fitted("evaluate", read, accelerators.named("v5e-4"))


def test_the_page_adds_up_and_says_what_it_rests_on():
    stages = [xnli("a"), xnli("b"), evaluation(xnli("a"))]
    found = forecast.of_stages(stages, V5E)
    text = forecast.page(found, V5E)
    head, trainings, evaluations, total = text.splitlines()[:4]
    assert head.split()[:3] == ["stages", "jobs", "steps"]
    assert trainings.split()[:4] == ["train", "xnli", "2", "20,000"]
    assert evaluations.split()[:3] == ["evaluate", "xnli", "1"]
    whole = cost.total(one.cost for one in found)
    assert total.split()[:3] == ["total", "3", "20,000"]
    assert f"{whole.chip_hours:,.2f}" in total
    assert f"{whole.dollars:,.2f}" in total
    assert "30% in training and scoring and 2% in decoding" in text
    assert "$1.2 a chip-hour" in text
    assert "fits with REMAT_POLICY=full: train xnli" in text
    each = forecast.page(found, V5E, each=True)
    assert [line.split()[0] for line in each.splitlines()[1:4]] == ["a", "b", "evaluate-a"]


def test_decoding_writes_each_hypothesis_and_reads_the_inputs_once():
    config = network().module.config
    one = flops.decoding_flops(config, 320, 160, 32, 16)
    assert one == flops.forward_flops(config, 320, 160, 32, 16)
    reading = flops.forward_flops(config, 320, 0, 32, 16)
    four = flops.decoding_flops(config, 320, 160, 32, 16, hypotheses=4)
    assert four - reading == pytest.approx(4 * (one - reading))
