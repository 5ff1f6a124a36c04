"""Experiment files: their commands load, their mixtures exist, their lengths hold the labels."""

import re
import shlex
from pathlib import Path

import gin
import pytest
import seqio

import tasks  # noqa: F401 - registers the mixtures.
from mt5x import config
from scripts.gin_arguments import add_gin_arguments
from scripts.main import Parser
from tasks import catalogue
from tasks.definitions import DATA_SETS
from tasks.definitions.dataset import INTERMEDIATE, TARGET

FOLDER = Path(config.INSTALLATION_ROOT) / "t5x_configs" / "experiments"
EXPERIMENTS = sorted(path.stem for path in FOLDER.glob("*.gin"))
TRAINED = [name for name in EXPERIMENTS if not name.endswith("_eval")]
MODEL = "t5x_configs/models/mt5_small.gin"
FINETUNE = "t5x_configs/runs/finetune.gin"
EVALUATE = "t5x_configs/runs/evaluate.gin"

# What a run file asks for and an experiment may leave to the command.
TRAINING = ["MODEL_DIR=a", "INITIAL_CHECKPOINT_PATH=b"]
EVALUATION = ["CHECKPOINT_PATH=a", "EVAL_OUTPUT_DIR=b"]


@pytest.fixture(autouse=True)
def _clean_gin():
    yield
    gin.clear_config()


def file_of(name: str) -> str:
    return f"t5x_configs/experiments/{name}.gin"


def header(name: str) -> str:
    """The comment that a file opens with, in one line."""
    lines = (FOLDER / f"{name}.gin").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    return " ".join(line.removeprefix("#").strip() for line in lines)


def commands(name: str) -> list[list[str]]:
    """The commands of the header, each as its words."""
    text = (FOLDER / f"{name}.gin").read_text(encoding="utf-8")
    found = re.findall(r"^#   (mt5x (?:.*\\\n)*.*)", text, re.MULTILINE)
    return [shlex.split(one.replace("\\\n#", " ")) for one in found]


def load(name: str, evaluation: bool = False) -> None:
    run, needed = (EVALUATE, EVALUATION) if evaluation else (FINETUNE, TRAINING)
    config.load([MODEL, run, file_of(name)], needed)


def mixture_of(name: str) -> seqio.Mixture:
    load(name, evaluation=name not in TRAINED)
    return seqio.get_mixture_or_task(config.macro("MIXTURE_OR_TASK_NAME"))


def data_sets_of(name: str) -> set[str]:
    return {catalogue.parse(task.name).data for task in seqio.get_subtasks(mixture_of(name))}


def splits_of(name: str) -> set[str]:
    return {split for task in seqio.get_subtasks(mixture_of(name)) for split in task.splits}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_commands_of_the_header_load(name):
    """The experiment's own file comes last, and the split that a command asks for is there."""
    shown = commands(name)
    assert shown
    for words in shown:
        parser = Parser(prog=f"mt5x {words[1]}", allow_abbrev=False)
        add_gin_arguments(parser)
        args = parser.parse_args(words[2:])
        assert args.gin_file[1] == {"train": FINETUNE, "evaluate": EVALUATE}[words[1]]
        assert args.gin_file[2:] == [file_of(name)]
        config.load(args.gin_file, args.gin_bindings)
        split = "train" if words[1] == "train" else config.macro("SPLIT")
        assert split in splits_of(name)


@pytest.mark.parametrize("name", TRAINED)
def test_an_experiment_that_trains_can_be_evaluated_as_it_is(name):
    load(name)
    trained = config.macro("MIXTURE_OR_TASK_NAME")
    load(name, evaluation=True)
    assert config.macro("MIXTURE_OR_TASK_NAME") == trained


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_changes_macros_alone(name):
    """What T5X, which has other configurables, reads in the same way."""
    run, needed = (FINETUNE, TRAINING) if name in TRAINED else (EVALUATE, EVALUATION)
    asked = ["MIXTURE_OR_TASK_NAME=a", *(["TASK_FEATURE_LENGTHS={}"] if name in TRAINED else [])]
    config.load([MODEL, run], [*needed, *asked])
    without = config.bindings_of(config.resolved())
    config.load([MODEL, run, file_of(name)], needed)
    having = config.bindings_of(config.resolved())
    changed = {key for key in {*without, *having} if without.get(key) != having.get(key)}
    assert "MIXTURE_OR_TASK_NAME" in changed
    assert all(re.fullmatch(r"[A-Z][A-Z_]*", key) for key in changed), changed


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_it_trains_or_says_that_it_only_evaluates(name):
    trains = "train" in splits_of(name)
    assert trains == (name in TRAINED)
    assert ("evaluation only" in header(name)) == (not trains)
    assert splits_of(name) & {"validation", "test"}
    if trains:
        load(name)
        assert config.macro("TRAIN_STEPS_RELATIVE") > 0
        assert re.search("mt5x train|The model is that of", header(name))


@pytest.mark.parametrize("name", TRAINED)
def test_the_lengths_hold_every_label(name):
    """A SentencePiece vocabulary has at most a piece a byte, one of white space, and EOS."""
    load(name)
    lengths = config.macro("TASK_FEATURE_LENGTHS")
    assert set(lengths) == {"inputs", "targets"}
    assert 0 < lengths["targets"] <= lengths["inputs"] * 4
    for data in data_sets_of(name) & set(DATA_SETS):
        for label in DATA_SETS[data].labels or ():
            assert len(label.encode()) + 2 <= lengths["targets"], (data, label)


@pytest.mark.parametrize("name", TRAINED)
def test_batches_and_steps_are_what_the_header_says(name):
    """`2^17 tokens a batch, 10,000 steps`: inputs, and targets where they are said to count."""
    pattern = r"2\^(\d+) tokens a batch(, the targets counted)?.{1,6}?([\d,]+) steps"
    said = re.search(pattern, header(name))
    if said is None:  # It includes another file, and says so.
        assert re.search(r"\w+\.gin", header(name).split("runs/")[-1])
        return
    load(name)
    lengths = config.macro("TASK_FEATURE_LENGTHS")
    row = sum(lengths.values()) if said[2] else lengths["inputs"]
    assert config.macro("BATCH_SIZE") * row == 2 ** int(said[1])
    assert config.macro("TRAIN_STEPS_RELATIVE") == int(said[3].replace(",", ""))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_what_a_header_names_is_there(name):
    text = header(name)
    files = set(re.findall(r"\w+\.gin\b", text)) - {"mt5_small.gin", "finetune.gin", "evaluate.gin"}
    assert not [file for file in files if not (FOLDER / file).is_file()]
    for other in re.findall(r"MIXTURE_OR_TASK_NAME=([\w.]+\w)", text):
        seqio.get_mixture_or_task(other)
    assert "ot run here" in text


def test_every_target_and_every_intermediate_task_has_an_experiment():
    covered = set().union(*(data_sets_of(name) for name in EXPERIMENTS))
    wanted = {one.name for one in DATA_SETS.values() if one.role in (TARGET, INTERMEDIATE)}
    assert wanted - covered == set()


@pytest.mark.parametrize("data", [one.name for one in DATA_SETS.values() if one.role == TARGET])
def test_a_target_is_evaluated_in_every_language(data):
    """By the experiment named after it."""
    (name,) = [one for one in EXPERIMENTS if one in (f"{data}_zeroshot", f"{data}_eval")]
    evaluated = {catalogue.parse(task.name) for task in seqio.get_subtasks(mixture_of(name))}
    codes = {one.language for one in evaluated if (one.data, one.kind) == (data, "eval")}
    assert codes == set(DATA_SETS[data].evaluated)
