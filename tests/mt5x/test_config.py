"""Gin: what T5X's users type works; a mistake ends in one sentence with the nearest name."""

from pathlib import Path

import gin
import pytest

from mt5x import config, models, optimizers, train_loop
from mt5x.errors import UserError
from mt5x.input_pipeline import DatasetConfig
from mt5x.partitioning import Partitioner

FILES = [
    "t5x_configs/models/mt5_tiny.gin",
    "t5x_configs/runs/finetune.gin",
    "t5x_configs/experiments/panx_zeroshot.gin",
]


@pytest.fixture(autouse=True)
def _clean_gin():
    yield
    gin.clear_config()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("runs/panx", "runs/panx"),
        ("gs://bucket/dir", "gs://bucket/dir"),
        ("'runs/panx'", "runs/panx"),
        ('"runs/panx"', "runs/panx"),
        ("2026-01-01", "2026-01-01"),
        ("two words", "two words"),
        ("None", None),
        ("1e-3", 0.001),
        ("1_000", 1000),
        ("{'inputs': 4}", {"inputs": 4}),
        ("True", True),
    ],
)
def test_a_plain_string_needs_no_inner_quotes(written, meant):
    config.load(FILES, [f"MODEL_DIR={written}"])
    assert config.macro("MODEL_DIR") == meant


def test_a_later_binding_wins_over_an_earlier_one():
    config.load(FILES, ["MODEL_DIR=a", "TRAIN_STEPS=5", "TRAIN_STEPS=7"])
    assert config.macro("TRAIN_STEPS") == 7


def test_loading_forgets_the_config_before():
    config.load(FILES, ["MODEL_DIR=a", "BATCH_SIZE=3"])
    config.load(FILES, ["MODEL_DIR=a"])
    assert config.macro("BATCH_SIZE") != 3


def test_scoped_parameters_can_be_bound_from_the_command_line():
    config.load(FILES, ["MODEL_DIR=a", "train/input_pipeline.DatasetConfig.batch_size=3"])
    with gin.config_scope("train"):
        assert config.call(DatasetConfig).batch_size == 3


@pytest.mark.parametrize(
    ("files", "bindings", "sentence"),
    [
        (FILES, [], "MODEL_DIR is not set.*--gin.MODEL_DIR=VALUE"),
        (
            FILES[:2],
            ["MODEL_DIR=a"],
            r"MIXTURE_OR_TASK_NAME \(and TASK_FEATURE_LENGTHS\) is not set",
        ),
        (FILES, ["MODEL_DIRR=a", "MODEL_DIR=a"], "unknown gin macro MODEL_DIRR.*MODEL_DIR"),
        (FILES, ["MODEL_DIR=a", "T5Confi.emb_dim=3"], "unknown gin name.*T5Confi.*T5Config"),
        (FILES, ["MODEL_DIR=a", "train.eval_stepz=3"], "unknown.*eval_stepz.*eval_steps"),
        (FILES, ["MODEL_DIR"], "has no value"),
        (["t5x_configs/models/mt5_tin.gin"], [], "mt5_tin.gin is not in.*mt5_tiny.gin"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(files, bindings, sentence):
    with pytest.raises(UserError, match=sentence) as told:
        config.load(files, bindings)
    assert "\n" not in str(told.value)


def test_a_syntax_error_names_file_and_line(tmp_path):
    (tmp_path / "bad.gin").write_text("A = 1\nB = = 2\n")
    with pytest.raises(UserError, match=r"bad\.gin.*line"):
        config.load([str(tmp_path / "bad.gin")])


def test_an_include_that_is_missing_is_named(tmp_path):
    (tmp_path / "outer.gin").write_text("include 'inner.gin'\n")
    with pytest.raises(UserError, match=r"inner\.gin"):
        config.load([str(tmp_path / "outer.gin")])


def test_search_paths_find_files_and_are_forgotten(tmp_path):
    (tmp_path / "mine.gin").write_text("")
    config.load(["mine.gin"], search_paths=[str(tmp_path)])
    with pytest.raises(UserError, match=r"mine\.gin is not in"):
        config.load(["mine.gin"])


def test_the_resolved_config_can_be_compared_by_name():
    config.load(FILES, ["MODEL_DIR=a"])
    before = config.bindings_of(config.resolved())
    config.load(FILES, ["MODEL_DIR=a", "BATCH_SIZE=3"])
    after = config.bindings_of(config.resolved())
    assert {name for name in before if before[name] != after[name]} == {"BATCH_SIZE"}


def test_an_experiment_of_training_also_serves_evaluation():
    files = [FILES[0], "t5x_configs/runs/evaluate.gin", FILES[2]]
    config.load(files, ["CHECKPOINT_PATH=a", "EVAL_OUTPUT_DIR=b"])
    with pytest.raises(UserError, match="unknown gin macro TRAIN_STEPS"):
        config.load(files, ["CHECKPOINT_PATH=a", "EVAL_OUTPUT_DIR=b", "TRAIN_STEPS=3"])


def test_a_recipe_in_an_experiment_file_serves_evaluation_too(tmp_path):
    """What a training job reads may stand in the file; what no job reads is a typing error."""
    (tmp_path / "mine.gin").write_text("LEARNING_RATE = 0.03\nMIXTURE_OR_TASK_NAME = 'a'\n")
    files = [FILES[0], "t5x_configs/runs/evaluate.gin", str(tmp_path / "mine.gin")]
    bindings = ["CHECKPOINT_PATH=c", "EVAL_OUTPUT_DIR=o"]
    config.load(files, bindings)
    (tmp_path / "mine.gin").write_text("LEARNING_RAT = 0.03\nMIXTURE_OR_TASK_NAME = 'a'\n")
    with pytest.raises(UserError, match="unknown gin macro LEARNING_RAT"):
        config.load(files, bindings)


def test_every_shipped_model_and_run_file_parses_together():
    configs = Path(config.INSTALLATION_ROOT) / "t5x_configs"
    for model in sorted((configs / "models").glob("mt5_*.gin")):
        config.load([str(model), FILES[1], FILES[2]], ["MODEL_DIR=a", "INITIAL_CHECKPOINT_PATH=b"])
        assert config.bindings_of(config.resolved())["MODEL"] == "@models.EncoderDecoderModel()"


def test_a_required_argument_that_no_binding_gives_is_named():
    config.load([FILES[0]])
    with pytest.raises(UserError, match=r"model_dir|train_dataset_cfg"):
        config.call(train_loop.train, total_steps=1)


HOLES = {
    "evaluate": ["CHECKPOINT_PATH=c", "MIXTURE_OR_TASK_NAME=a", "EVAL_OUTPUT_DIR=b"],
    "predict": ["CHECKPOINT_PATH=c"],
    "lm_statistics": [
        "CHECKPOINT_PATH=c", "LANGUAGES=['en']", "TASK_FEATURE_LENGTHS={'inputs': 8}"
    ],
    "finetune": ["MODEL_DIR=a", "MIXTURE_OR_TASK_NAME=a", "TASK_FEATURE_LENGTHS={'inputs': 8}"],
}  # fmt: skip


@pytest.mark.parametrize("run", ["evaluate", "lm_statistics"])
def test_t5x_s_name_of_the_split_is_read(run):
    files = [FILES[0], f"t5x_configs/runs/{run}.gin"]
    for bindings, expected in (
        ([], "validation"),
        (["MIXTURE_OR_TASK_SPLIT=test"], "test"),
        (["SPLIT=test"], "test"),
    ):
        config.load(files, [*HOLES[run], *bindings])
        assert config.macro("SPLIT") == expected
    with pytest.raises(UserError, match=r"unknown gin macro MIXTURE_OR_TASK_SPLI.*SPLIT"):
        config.load(files, [*HOLES[run], "MIXTURE_OR_TASK_SPLI=test"])


@pytest.mark.parametrize("run", HOLES)
def test_every_job_that_has_a_mesh_can_shard_fully(run):
    files = [FILES[0], f"t5x_configs/runs/{run}.gin"]
    config.load(files, [*HOLES[run], "NUM_PARTITIONS=2", "FSDP_PARTITIONS=4"])
    assert config.call(Partitioner) == Partitioner(num_partitions=2, fsdp_partitions=4)


def test_the_optimizer_and_what_is_frozen_are_macros():
    bindings = ["MODEL_DIR=a", "VOCABULARY=byt5", "INITIAL_CHECKPOINT_PATH=None"]
    config.load(FILES, bindings)
    model = config.call(models.EncoderDecoderModel)
    assert (model.optimizer_def, model.freeze) == (optimizers.Adafactor(), ())
    more = ["OPTIMIZER=@optimizers.AdamW()", "WEIGHT_DECAY=0.1", "FREEZE=['encoder/.*']"]
    config.load(FILES, [*bindings, *more])
    model = config.call(models.EncoderDecoderModel)
    assert model.optimizer_def == optimizers.AdamW(weight_decay=0.1)
    assert model.freeze == ("encoder/.*",)
    assert hash(model)
    with pytest.raises(UserError, match=r"unknown gin name optimizers\.Adamw.*AdamW"):
        config.load(FILES, [*bindings, "OPTIMIZER=@optimizers.Adamw()"])


@pytest.mark.parametrize(
    ("macros", "step", "expected"),
    [
        ([], 5, 0.5),
        (["LEARNING_RATE_FACTORS=constant * linear_warmup", "WARMUP_STEPS=10"], 5, 0.25),
        (["LEARNING_RATE_FACTORS=linear_decay", "WARMUP_STEPS=10"], 90, 0.5),
        (
            ["LEARNING_RATE_FACTORS=linear_decay", "WARMUP_STEPS=10", "LEARNING_RATE_DECAY=0.01"],
            60,
            0.25,
        ),
        (["LEARNING_RATE_FACTORS=constant * rsqrt_decay", "WARMUP_STEPS=100"], 5, 0.05),
        (["LEARNING_RATE_FACTORS=constant*rsqrt_normalized_decay", "WARMUP_STEPS=100"], 400, 0.25),
        (
            [
                "LEARNING_RATE_FACTORS=constant * decay_every",
                "LEARNING_RATE_DECAY=0.5",
                "STEPS_PER_DECAY=10",
            ],
            25,
            0.125,
        ),
        (
            [
                "LEARNING_RATE_FACTORS=constant * cosine_decay",
                "WARMUP_STEPS=0",
                "STEPS_PER_CYCLE=100",
            ],
            50,
            0.25,
        ),
        (["LEARNING_RATE=0.0", "MIN_LEARNING_RATE=0.125"], 5, 0.125),
        (["LEARNING_RATE_FACTORS=constant * linear_warmup", "STEP_OFFSET=995"], 1000, 0.0025),
    ],
)
def test_every_factor_of_the_schedule_is_reached_by_macros(macros, step, expected):
    config.load(
        FILES, ["MODEL_DIR=a", "INITIAL_CHECKPOINT_PATH=None", "LEARNING_RATE=0.5", *macros]
    )
    assert float(config.call(optimizers.learning_rate)(step)) == pytest.approx(expected, rel=1e-5)


def test_the_loss_is_set_by_t5x_s_macros():
    macros = ["Z_LOSS=0.5", "LABEL_SMOOTHING=0.25", "LOSS_NORMALIZING_FACTOR=AVERAGE_PER_SEQUENCE"]
    config.load(FILES, ["MODEL_DIR=a", "VOCABULARY=byt5", "INITIAL_CHECKPOINT_PATH=None", *macros])
    model = config.call(models.EncoderDecoderModel)
    assert (model.z_loss, model.label_smoothing) == (0.5, 0.25)
    assert model.loss_normalizing_factor == "AVERAGE_PER_SEQUENCE"
