"""The gin files of the public models: their sizes give the number of parameters that they state."""

import math
import re
from pathlib import Path

import gin
import pytest

from mt5x import config
from mt5x.checkpoints.architecture import parameter_shapes
from mt5x.model import T5Config

FOLDER = Path(__file__).resolve().parents[2] / "t5x_configs" / "models"
FILES = sorted(path.name for path in FOLDER.glob("*_*.gin") if "_tiny" not in path.name)
VOCABULARIES = {"mt5": ("mt5", 250_112), "umt5": ("umt5", 256_384), "byt5": ("byt5", 384)}


@pytest.fixture(autouse=True)
def _clean_gin():
    yield
    gin.clear_config()


def test_every_public_model_has_a_file():
    assert len(FILES) == 14
    assert {name.split("_")[0] for name in FILES} == VOCABULARIES.keys()


@pytest.mark.parametrize("name", FILES)
def test_a_model_has_the_parameters_that_its_file_states(name):
    files = [f"t5x_configs/models/{name}", "t5x_configs/runs/finetune.gin"]
    experiment = "t5x_configs/experiments/panx_zeroshot.gin"
    config.load([*files, experiment], ["MODEL_DIR=a", "INITIAL_CHECKPOINT_PATH=None"])
    sizes = config.call(T5Config)
    stated = re.search(r": ([\d,]+) parameters", (FOLDER / name).read_text(encoding="utf-8"))
    assert stated
    shapes = parameter_shapes(sizes).values()
    assert sum(math.prod(shape) for shape in shapes) == int(stated[1].replace(",", ""))
    family = name.split("_")[0]
    assert (config.macro("VOCABULARY"), sizes.vocab_size) == VOCABULARIES[family]
    assert sizes.relative_bias_per_layer == (family == "umt5")
    assert sizes.dtype.name == "bfloat16"
