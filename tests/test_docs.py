"""What the guides show works, what they say of the catalogue holds, and their links lead on."""

import collections
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import seqio

from scripts import study
from scripts.main import COMMANDS
from tasks import languages, mixtures, own_data
from tasks.definitions import DATA_SETS
from tasks.definitions.dataset import EVAL, ROLES, TRAIN, TRANSLATED, DataSet
from tasks.errors import DataError
from tasks.importers import run as importers
from tasks.tfds_schemas import XTREME_POS_CODES
from tests.conftest import REPOSITORY

GUIDES = [*sorted(REPOSITORY.glob("*.md")), *sorted((REPOSITORY / "docs").glob("*.md"))]
TASK_GUIDE = REPOSITORY / "docs" / "define_a_task.md"
CATALOGUE = REPOSITORY / "docs" / "catalogue.md"

# The most lines that a new data set may take of its user: task, mixture, experiment and test.
USERS_LINES = 25
REGISTRIES = (seqio.TaskRegistry, seqio.MixtureRegistry)
OWN_FILES = ("reviews.py", "reviews.gin", "test_reviews.py")


def blocks(guide: Path, kind: str) -> list[str]:
    """The contents of the fenced blocks whose first line is 'kind'."""
    text = guide.read_text(encoding="utf-8")
    return re.findall(rf"^```{re.escape(kind)}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def write_files(guide: Path, folder: Path) -> None:
    """Writes the files that a guide shows: blocks such as '```python reviews.py'."""
    text = guide.read_text(encoding="utf-8")
    for name, content in re.findall(r"^```\w+ ([\w.]+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        (folder / name).write_text(content, encoding="utf-8")


def shell(script: str, folder: Path) -> str:
    """Runs shell commands as a user would, in a folder outside of the checkout."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("TFDS_DATA_DIR", "PYTHONPATH", "PYTEST_ADDOPTS")
    }
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A folder with the files of the guide and the reviews that its script writes."""
    write_files(TASK_GUIDE, tmp_path)
    shell("python make_reviews.py", tmp_path)
    return tmp_path


def accuracy(run: Path) -> dict[str, float]:
    """Task to its last accuracy in the evaluations of a training run."""
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    return {name.split("/")[1]: value for name, value in last.items() if name.endswith("/accuracy")}


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.name)
def test_links_lead_to_files_and_headings(path):
    links = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"\]\s*\n\s*", "] ", path.read_text("utf-8")))
    for link in (link for link in links if "://" not in link):
        file, _, anchor = link.partition("#")
        led_to = (path.parent / file).resolve() if file else path
        assert led_to.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", led_to.read_text("utf-8"), re.MULTILINE)
            assert anchor in [anchor_of(heading) for heading in headings], link


def anchor_of(heading: str) -> str:
    """What GitHub calls a heading in links."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.name)
def test_named_files_of_the_repository_are_there(path):
    named = re.findall(
        r"\b(?:t5x_configs|scripts|tests|docs|mt5x|tasks|analysis)/[\w/]+\.(?:gin|py|sh|md)\b",
        path.read_text(encoding="utf-8"),
    )
    assert not [name for name in named if not (REPOSITORY / name).is_file()]


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.name)
def test_macros_of_the_guides_are_read_by_the_gin_files(path):
    text = path.read_text(encoding="utf-8")
    shown = set(re.findall(r"--gin\.([A-Z_]+)=", text)) - {"NAME"}
    gin_files = (REPOSITORY / "t5x_configs").rglob("*.gin")
    read = set(re.findall(r"%([A-Z_]+)", "".join(path.read_text() for path in gin_files)))
    assert shown <= read


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.name)
def test_subcommands_of_the_guides_are_there(path):
    commands = re.findall(r"`(mt5x [^`]+)`", path.read_text("utf-8"))
    commands += [line for block in blocks(path, "sh") for line in block.splitlines()]
    shown = {found[1] for line in commands if (found := re.match(r"mt5x ([a-z][a-z-]*)", line))}
    assert shown <= {*COMMANDS}


def test_a_new_data_set_takes_few_lines():
    text = TASK_GUIDE.read_text(encoding="utf-8")
    lines = [
        line
        for name in OWN_FILES
        for block in re.findall(rf"^```\w+ {name}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
        if line.strip() and not line.startswith("#")
    ]
    assert 0 < len(lines) <= USERS_LINES


def test_the_guide_to_tasks_works_from_an_empty_folder(reviews):
    experiment = reviews / "reviews.gin"
    cut = experiment.read_text().replace("300", "2")
    assert "STEPS_RELATIVE = 2\n" in cut
    experiment.write_text(cut)
    looked, trained, _ = blocks(TASK_GUIDE, "sh")
    shown = shell(looked, reviews)
    assert "reviews_zeroshot.sw" in shown
    assert "TASK_FEATURE_LENGTHS = {'inputs': 192, 'targets': 24}" in shown
    evaluated = shell(trained, reviews)
    assert {*re.findall(r"^reviews_eval\.\w+", evaluated, re.MULTILINE)} == {
        *("reviews_eval.en", "reviews_eval.sw")
    }
    assert {*accuracy(reviews / "runs/zeroshot")} == {"reviews_eval.en", "reviews_eval.sw"}


@pytest.mark.exhaustive
def test_the_guide_to_tasks_ends_with_a_model_that_has_learned(reviews):
    for script in blocks(TASK_GUIDE, "sh"):
        shell(f"export PYTHONPATH=.\n{script}", reviews)
    before, after = (accuracy(reviews / "runs" / name) for name in ("zeroshot", "fewshot"))
    assert min(before["reviews_eval.en"], after["reviews_eval.en"]) > 95
    assert before["reviews_eval.sw"] < 85
    assert after["reviews_eval.sw"] > 95
    noisy = json.loads(
        next((reviews / "runs/fewshot/evaluation").glob("*typos10-*-metrics.json")).read_text()
    )
    assert 70 < noisy["accuracy"] <= after["reviews_eval.sw"]


def test_a_wrong_row_is_told_as_the_guide_says(tmp_path, monkeypatch):
    write_files(TASK_GUIDE, tmp_path)
    write_text(tmp_path / "reviews/train.en.tsv", "text\tlabel\nlovely\tgood\nawful\tterrible\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(own_data, "_labels", {})
    before = {registry: {*registry.names()} for registry in REGISTRIES}
    try:
        runpy.run_path("reviews.py")
        with pytest.raises(DataError) as error:
            seqio.get_mixture_or_task("reviews_train.en").num_input_examples("train")
    finally:
        for registry, names in before.items():
            for name in {*registry.names()} - names:
                registry.remove(name)
    assert [f"mt5x: error: {error.value}\n"] == blocks(TASK_GUIDE, "text")


def test_tasks_by_hand_can_be_read_and_configured(reviews):
    """In a process of its own, since it registers tasks and chooses a vocabulary."""
    experiment = (reviews / "reviews.gin").read_text().replace("reviews", "opinions")
    (reviews / "opinions.gin").write_text(experiment)
    program = """
import seqio
from mt5x import config
from tasks import vocabulary

config.load(
    ["t5x_configs/models/mt5_tiny.gin", "t5x_configs/runs/finetune.gin"]
    + ["opinions.gin", "tiny.gin"],
    ["MODEL_DIR=runs/opinions"],
)
vocabulary.choose("byt5")
lengths = config.macro("TASK_FEATURE_LENGTHS")

def rows(name, split):
    mixture = seqio.get_mixture_or_task(name)
    return list(mixture.get_dataset(lengths, split=split, num_epochs=1).as_numpy_iterator())

train = rows(config.macro("MIXTURE_OR_TASK_NAME"), "train")
assert len(train) == 2300, len(train)
targets = {vocabulary.chosen().decode([int(i) for i in row["targets"]]) for row in train}
assert targets == {"good", "bad"}, targets
assert all(row["inputs"][-1] == 1 for row in train), "no end of sequence"
assert len(rows("opinions_train.en:n20", "train")) == 20
few = seqio.get_mixture_or_task("opinions_fewshot.en.sw:n10")
names = sorted(task.name for task in few.tasks)
assert names == ["opinions_eval.en", "opinions_eval.sw", "opinions_train.en",
                 "opinions_train.sw:n10"], names
"""
    (reviews / "program.py").write_text(program)
    shell("PYTHONPATH=. python program.py", reviews)


# The catalogue.


def catalogue_tables() -> str:
    """The tables of docs/catalogue.md, from the definitions of the data sets."""
    parts = []
    for role in ROLES:
        members = [one for one in DATA_SETS.values() if one.role == role]
        parts += [
            f"**{role.capitalize()} data sets**",
            "",
            "| data set | | tasks | stored as | scores | labels |",
            "|---|---|---|---|---|---|",
            *(_row(one) for one in members),
            "",
        ]
    parts += ["**Languages**", "", "| data set | languages |", "|---|---|"]
    parts += [
        f"| {', '.join(f'`{name}`' for name in names)} | {codes} |"
        for codes, names in _languages().items()
    ]
    return "\n".join(parts) + "\n"


def _row(one: DataSet) -> str:
    tasks = ", ".join(_kind(one, kind) for kind in (TRAIN, TRANSLATED, EVAL) if kind in one.parts)
    scores = ", ".join(
        f"**{name}**" if name == one.scores.main else name for name in one.scores.names
    )
    labels = ", ".join(one.labels) if one.labels else "*vectors*" if one.embedded else "*text*"
    cells = (f"`{one.name}`", f"{one.title}, {one.cited}", tasks, _stored(one), scores, labels)
    return f"| {' | '.join(cells)} |"


def _kind(one: DataSet, kind: str) -> str:
    """The number of languages of a kind of tasks, and what an eval task holds: 'eval 11 (test)'."""
    codes = one.languages_of(kind)
    splits = dict.fromkeys(split for code in codes for split in one.parts[kind].rows(code).splits)
    return f"{kind} {len(codes)}" + (
        f" ({', '.join(sorted(splits, reverse=True))})" * (kind == EVAL)
    )


def _stored(one: DataSet) -> str:
    """The TFDS data sets of all tasks, a language's code as {l}."""
    names: dict[str, None] = {}
    for part in one.parts.values():
        for code in sorted(part.languages, key=lambda code: code != "en"):
            own = XTREME_POS_CODES.get(code, code) if one.name == "udpos" else code
            name = part.rows(code).stored
            if len(one.languages) > 1:
                name = re.sub(rf"(?<=[/_]){own.replace('.', '-')}(?=:)", "{l}", name)
            names[f"`{name}`"] = None
    return ", ".join(names)


def _languages() -> Mapping[str, list[str]]:
    """Languages, in words, to the data sets (and kinds of tasks) that have them; not English's."""
    found: dict[str, list[str]] = collections.defaultdict(list)
    for one in DATA_SETS.values():
        for kind, part in one.parts.items():
            if len(part.languages) > 1:
                alike = all(p.languages == part.languages for p in one.parts.values())
                name = f"{one.name}" if alike else f"{one.name} {kind}"
                codes = " ".join(part.languages) if "." not in part.languages[0] else ""
                codes = codes or f"every context.question of {' '.join(languages.MLQA)}"
                if name not in found[codes]:
                    found[codes].append(name)
    return found


def test_the_tables_of_the_catalogue_are_those_of_the_definitions():
    text = CATALOGUE.read_text(encoding="utf-8")
    shown = re.search(r"<!-- from the definitions -->\n\n(.*?)<!-- end -->", text, re.DOTALL)
    assert shown, "the marks around the tables are not there"
    wanted = catalogue_tables()
    # As `python -m tests.test_docs` prints them.
    assert shown[1] == wanted


def names_in(guide: Path) -> Iterator[str]:
    """Names of tasks and mixtures that a guide names in back-ticks, without placeholders."""
    stems = {f"{name}{end}" for name in DATA_SETS for end in "_:"}
    stems |= {"mc4_", "anli", "intermediate_nine."}
    for name in re.findall(r"`([\w.:]+)`", guide.read_text(encoding="utf-8")):
        version = re.search(r":\d", name)
        if name.startswith(tuple(stems)) and name not in DATA_SETS and not version:
            yield name


def test_names_in_the_catalogue_are_registered_or_made():
    names = [*names_in(CATALOGUE), *names_in(REPOSITORY / "README.md")]
    assert len(names) > 20
    known = [*seqio.TaskRegistry.names(), *seqio.MixtureRegistry.names()]
    for name in names:
        assert name in known or seqio.get_mixture_or_task(name), name


def test_what_the_catalogue_says_of_languages_and_sizes():
    text = " ".join(CATALOGUE.read_text(encoding="utf-8").split())
    for order in ("resources", "families"):
        first = languages.order(languages.XNLI, by=order)[:4]
        assert f"`{order}` begins {' '.join(first)}" in text
    assert all(f"`{order}` (" in text for order in languages.ORDERS)
    assert f"in the {len(languages.MC4)} languages" in text
    assert f"the ten of the study, {' '.join(languages.STUDY)} |" in text
    assert f"= {mixtures.EXAMPLES_CAP:,}" in text
    assert f"temperature {mixtures.TEMPERATURE:g}" in text
    powers = f"power {mixtures.SAMPLING_ALPHA:g} and {mixtures.NO_SENTINELS_ALPHA:g}"
    assert powers in text


def test_the_readme_counts_the_data_sets():
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert f"{len(DATA_SETS)} data sets:" in text


def test_every_score_is_explained():
    text = CATALOGUE.read_text(encoding="utf-8")
    explained = {*re.findall(r"`(\w+)`", text.split("## Scores")[1].split("## Traps")[0])}
    scores = {name for one in DATA_SETS.values() for name in one.scores.names}
    variants = re.compile(r"(HasAns|NoAns)_\w+|\w+_cosine")
    assert {name for name in scores if not variants.fullmatch(name)} <= explained


def test_every_importer_is_told():
    text = (REPOSITORY / "docs" / "real_data.md").read_text(encoding="utf-8")
    assert not [one.name for one in importers.IMPORTERS if one.name not in text]


def test_the_folders_that_the_guide_to_real_data_shows_are_read(tmp_path):
    guide = REPOSITORY / "docs" / "real_data.md"
    refused, sentence = blocks(guide, "text")
    write_text(tmp_path / "ccg/train.conll", sentence)
    write_text(tmp_path / "text/train-sw.txt", "Habari ya dunia.\n\nJambo.\n")
    write_text(tmp_path / "panx/dev-sw.tsv", "Nairobi\tB-LOC\n\n")
    out = tmp_path / "runs/real_data"
    counts = importers.write(importers.plan(tmp_path), out)
    assert counts == {
        "wikiann/sw:1.0.0": {"validation": 1},
        "ccgbank:1.0.0": {"train": 1},
        "c4/multilingual:3.1.0": {"sw": 2},
    }
    shutil.rmtree(tmp_path / "ccg")
    (tmp_path / "panx/dev-sw.tsv").rename(tmp_path / "panx/test-sw.tsv")
    with pytest.raises(DataError) as error:
        importers.write(importers.plan(tmp_path / "panx"), out)
    assert f"mt5x: error: {error.value}\n".replace(str(out), "runs/real_data") == refused


def write_text(path: Path, text: str) -> None:
    """Writes a file and the folders that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    print(catalogue_tables(), end="")


STUDY_GUIDES = (REPOSITORY / "docs" / "first_study.md", REPOSITORY / "docs" / "studies.md")


@pytest.mark.slow
def test_the_first_study_walks_from_an_empty_file_to_its_answer(tmp_path):
    guide = STUDY_GUIDES[0]
    write_files(guide, tmp_path)
    # The same walk with few steps.
    for name in ("first.gin", "second.gin"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        for steps in ("2000", "150", "800"):
            text = re.sub(
                rf"('(?:TRAIN_STEPS|STEP_OFFSET|TRAIN_STEPS_RELATIVE)'): {steps}", r"\1: 4", text
            )
        # The small world has 300 rows of PAWS-X and 100 of QQP.
        text = text.replace(":n500'", ":n50'").replace("(250, 1000, 4000)", "(20, 50, 100)")
        (tmp_path / name).write_text(text, encoding="utf-8")
    commands = [line for block in blocks(guide, "sh") for line in block.splitlines()]
    assert [line.split()[1:3] for line in commands] == [
        ["sample-data", "--out"], ["study", "plan"], ["study", "run"], ["study", "status"],
        ["study", "run"],
    ]  # fmt: skip
    shown = [shell(line.replace("sample-data", "sample-data --size small"), tmp_path)
             for line in commands]  # fmt: skip
    assert "all 4 stages are done" in shown[3]
    first = {path.parent.name for path in (tmp_path / "runs/stages").glob("*/done.json")}
    assert len(first) == 1 + 1 + 3 + 4 * (1 + 2)
    page = (tmp_path / "runs/first/report/index.html").read_text(encoding="utf-8")
    for title in ("What an intermediate task adds", "How scores grow", "What noise costs"):
        assert title in page


@pytest.mark.parametrize("guide", STUDY_GUIDES, ids=lambda path: path.name)
def test_study_commands_of_the_guides_are_taken(guide):
    for block in blocks(guide, "sh"):
        for line in block.splitlines():
            words = shlex.split(line.split("#")[0])
            if words[1] == "study":
                assert study.read_arguments(words[2:]).action == words[2]
