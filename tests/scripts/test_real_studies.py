"""The studies of real data: what each question needs is in its plan, with mT5's own recipes."""

import itertools
import re
import shlex
from collections import Counter
from pathlib import Path

import gin
import pytest

from mt5x import config
from mt5x.studies import accelerators, forecast, plan, stage, stage_key
from mt5x.studies.cost import total
from mt5x.studies.expansion import expand
from mt5x.studies.experiment import macros_of
from mt5x.studies.plan import Study
from mt5x.studies.results import read_rows
from mt5x.studies.sharing import sharing
from mt5x.studies.stage import Stage
from scripts import study as command
from tasks import data_dir, languages, perturbations
from tasks.sample_world import writing
from tasks.sample_world.world import Settings
from tests.conftest import REPOSITORY

FOLDER = Path(config.INSTALLATION_ROOT) / "t5x_configs" / "studies"
SHARED = "real_world"
STUDIES = sorted(path.stem for path in (FOLDER / "real").glob("*.gin") if path.stem != SHARED)
XXL = "t5x_configs/models/mt5_xxl.gin"
# A language with fewer billions of tokens in mC4 has little text here; Arabic has 57.
LITTLE_TEXT = 50

# Training rows as published, where a study takes a part of them.
TRAINING_ROWS = {
    "anli_plus": 16_946,  # of ANLI's first round, the smallest of its parts
    "mnli": 392_702, "qqp": 363_846, "squad2": 130_319, "squad1": 87_599, "hellaswag": 39_905,
    "ccg": 38_015, "cosmosqa": 25_262, "csqa": 9_741, "all nine": 9_741,
    "panx": 5_000,  # Hindi
    "tydiqa": 1_625,  # Korean
}  # fmt: skip
NINE = [
    "anli_plus", "mnli", "qqp", "squad2", "squad1", "hellaswag", "ccg", "cosmosqa", "csqa",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _clean():
    yield
    gin.clear_config()
    data_dir.use(None)


def study_of(name: str, *bindings: str, folder: str = "real/") -> Study:
    config.load([f"t5x_configs/studies/{folder}{name}.gin"], bindings)
    found: Study = config.call(plan.Study)
    return found


def stages_of(name: str, *bindings: str) -> list[Stage]:
    return expand(study_of(name, *bindings))


def of_kind(stages: list[Stage], kind: str) -> list[Stage]:
    return [one for one in stages if one.kind == kind]


def test_each_question_is_written_once_and_asked_in_both_worlds():
    questions = sorted(path.stem for path in (FOLDER / "questions").glob("*.gin"))
    assert questions == STUDIES
    for name in questions:
        small, real = study_of(name, folder=""), study_of(name)
        assert (small.name, small.question) == (real.name, real.question) == (name, real.question)
        for folder in ("", "real/"):
            text = (FOLDER / f"{folder}{name}.gin").read_text(encoding="utf-8")
            assert f"\ninclude 't5x_configs/studies/questions/{name}.gin'\n" in text
            assert "question = " not in text
            assert f"mt5x study run t5x_configs/studies/{folder}{name}.gin" in text
        # Nothing that the small one asks is missing.
        assert {x.name for x in small.intermediates} <= {x.name for x in real.intermediates}
        assert {x.task for x in small.transfers} <= {x.task for x in real.transfers}


@pytest.mark.parametrize("name", STUDIES)
def test_every_training_is_the_experiment_s_own(name):
    """Steps, batch and lengths; Adafactor at 0.001 and dropout 0.1, from the public checkpoint."""
    found: dict[tuple[str, str], Stage] = {}
    for one in of_kind(stages_of(name), stage.TRAIN):
        if one.condition.shots is None:
            found.setdefault((one.gin_files[-1], one.task), one)
    for (experiment, _), one in found.items():
        recipe = macros_of(experiment)
        assert one.steps == recipe["TRAIN_STEPS_RELATIVE"]
        folders = {parent: parent for parent in (*one.parents, "folder")}
        config.load(one.gin_files, stage.gin_bindings(one.macros, folders))
        for macro in ("BATCH_SIZE", "TASK_FEATURE_LENGTHS", "TRAIN_STEPS_RELATIVE"):
            assert config.macro(macro) == recipe[macro]
        assert config.macro("LEARNING_RATE") == 0.001
        assert config.macro("LEARNING_RATE_FACTORS") == "constant"
        assert config.macro("DROPOUT_RATE") == 0.1
        assert config.macro("EVAL_PERIOD") == 0
        if not one.parents:
            public = "gs://t5-data/pretrained_models/t5x/mt5_base/checkpoint_1000000"
            assert config.macro("INITIAL_CHECKPOINT_PATH") == public


@pytest.mark.parametrize("name", STUDIES)
def test_every_kind_of_stage_has_a_config_without_a_hole(name):
    kinds = {(one.gin_files, one.kind, *sorted(one.macros)): one for one in stages_of(name)}
    for one in kinds.values():
        assert stage.resolve(one)


@pytest.mark.parametrize("name", STUDIES)
def test_another_model_is_one_binding(name):
    base, xxl = stages_of(name), stages_of(name, f"Study.model={XXL}")
    assert [one.name for one in base] == [one.name for one in xxl]
    for one in xxl:
        assert one.gin_files[0] == XXL
        assert "mt5_base" not in str(one.macros)
    assert "t5x/mt5_xxl/checkpoint_1000000" in str([one.macros for one in xxl])


@pytest.mark.parametrize("name", STUDIES)
def test_no_more_examples_are_asked_for_than_there_are(name):
    for one in stages_of(name):
        size = one.condition.intermediate_size
        if size is not None:
            assert size <= TRAINING_ROWS[one.condition.intermediate or ""]
        if one.condition.shots is not None:
            # Swahili has a thousand sentences of PANX, Bengali 2,390 questions of TyDiQA.
            assert one.condition.shots <= 1000


def test_the_size_of_an_intermediate_task_grows_geometrically_from_none():
    (qqp,) = study_of("intermediate_size").intermediates
    *sizes, whole = qqp.sizes
    assert whole is None
    grid = [size for size in sizes if size is not None]
    assert {second / first for first, second in itertools.pairwise(grid)} == {4}
    assert grid[-1] * 4 > TRAINING_ROWS["qqp"]
    found = sharing(stages_of("intermediate_size"))
    # A baseline, and with none, each size and all: an intermediate training, a tuning, its scores.
    assert found.jobs == found.naive_jobs == 3 * (1 + 2 + 6 * 3)
    assert found.steps == 3 * (7 + 6) * 10_000


def test_intermediate_languages_and_targets_are_far_apart():
    study = study_of("intermediate_language")
    for one in study.intermediates:
        families = {languages.get(code).family for code in one.languages if "+" not in code}
        assert len(families) >= 6, one.name
    # XTREME-R's tasks, those that the catalogue has.
    assert {one.task for one in study.transfers} == {
        "xcopa", "xnli", "udpos", "panx", "xquad", "mlqa", "tydiqa", "tatoeba",
    }  # fmt: skip
    targets = {code for one in study.transfers for code in one.languages} - {"en"}
    known = [languages.get(code) for code in targets]
    assert all((one.mc4_tokens_billion or 0) < LITTLE_TEXT for one in known)
    assert len({one.family for one in known}) >= 11
    assert len({one.script for one in known}) >= 9
    stages = expand(study)
    before = {"xnli": 11, "tydiqa": 9}
    trained = Counter(one.task for one in of_kind(stages, stage.TRAIN))
    every = 1 + sum(before.values())
    assert trained == {
        "xcopa": every, "udpos": every, "panx": every, "squad1": every,
        "xnli": 11 + 1 + before["tydiqa"], "tydiqa": 9 + 1 + before["xnli"],
    }  # fmt: skip
    counted = sharing(stages)
    assert counted.jobs == len(stages) < counted.naive_jobs


def test_sources_are_chosen_by_the_orders_of_the_catalogue():
    (transfer,) = study_of("source_languages").transfers
    known = languages.of("xnli")
    sets = [tuple(one.split("+")) for one in transfer.trained_sources]
    for by in ("resources", "families"):
        order = languages.order(known, by)
        lengths = [len(one) for one in sets if set(one) == set(order[: len(one)])]
        assert lengths == [1, 2, 3, 4, 6], by
    never = set(known) - {code for one in sets for code in one}
    assert never == {"bg", "el", "hi", "sw", "ur"}
    assert all((languages.get(code).mc4_tokens_billion or 0) < LITTLE_TEXT for code in never)
    assert {*transfer.languages} == {*known}
    found = sharing(stages_of("source_languages"))
    assert found.jobs == 3 * (1 + 12 * 2)
    assert found.steps == 3 * 12 * 10_000


def test_the_nine_at_all_sizes_with_text_and_in_translation_meet_eight_targets():
    study = study_of("nine_intermediate_tasks")
    sizes = {one.name: tuple(one.sizes) for one in study.intermediates}
    assert {name for name, of in sizes.items() if of == (1000, 8000, None)} == {*NINE, "all nine"}
    whole = [name for name, of in sizes.items() if of == (None,)]
    assert whole == [
        "mnli with text", "squad1 with text", "all nine with text",
        "mnli in translation", "squad1 in translation",
    ]  # fmt: skip
    for one in study.intermediates:
        assert (":mlm10" in one.mixture) == ("with text" in one.name)
        assert ("translate_train" in one.mixture) == ("in translation" in one.name)
    stages = expand(study)
    models = 1 + 3 * 10 + 5
    scored = Counter(one.task for one in of_kind(stages, stage.EVALUATE))
    eight = ("pawsx", "xnli", "panx", "tydiqa", "xquad", "mlqa", "tatoeba", "bucc")
    assert scored == dict.fromkeys(eight, models)
    # XQuAD and MLQA are tuned once.
    assert len(of_kind(stages, stage.TRAIN)) == models - 1 + 5 * models
    counted = sharing(stages)
    # A path of its own to each of the five tunings, and to the encoder as it is.
    assert counted.naive_jobs - counted.jobs == (models - 1) * 5
    assert {len(one.languages) for one in study.transfers if one.task == "panx"} == {40}


def test_every_kind_of_noise_is_met_in_low_resource_languages():
    study = study_of("adversarial")
    kinds: set[str] = set()
    for one in study.transfers:
        met = {re.sub("[0-9]+", "", noise) for noise in one.perturbations}
        if one.task != "advglue_mnli":
            assert met == {*perturbations.kinds_for(one.task)}, one.task
            others = [languages.get(code) for code in one.languages if code != "en"]
            assert all((x.mc4_tokens_billion or 0) < 70 for x in others)
            assert "en" in one.languages
        kinds |= met
    assert kinds == {*perturbations.NAMES}
    for intermediate in study.intermediates:
        assert {"en", "es"} < {*intermediate.languages}
    stages = expand(study)
    scored = Counter(one.task for one in of_kind(stages, stage.EVALUATE))
    # Three seeds of none and five languages, for questions of two tasks in five; clean and noisy.
    assert scored == {
        "xnli": 3 * 6 * 17, "advglue_mnli": 3 * 6, "panx": 3 * 6 * 16,
        "tydiqa": 3 * 11 * 17, "xquad": 3 * 11 * 17,
    }  # fmt: skip


def test_the_pairs_of_the_paper_and_its_curves():
    stages = stages_of("language_pairs")
    scored = of_kind(stages, stage.EVALUATE)
    pairs = Counter(
        one.task
        for one in scored
        if one.condition.shots is None and one.seed == 0
        for name in one.macros["EVALUATOR_ONLY"]
        if name.split(".")[1] != one.source
    )
    assert pairs == {"panx": 90, "xnli": 42, "tydiqa": 42}
    few = Counter((one.task, one.condition.shots) for one in scored if one.condition.shots)
    assert few == {
        (task, shots): 3 * targets
        for task, targets in {"panx": 9, "xnli": 6, "tydiqa": 6}.items()
        for shots in (8, 32, 128, 512)
    }
    (measured,) = of_kind(stages, stage.LM_STATISTICS)
    assert len(measured.macros["LANGUAGES"]) == 10
    counted = sharing(stages)
    tuned, shots = 10 + 7 + 7, 4 * (9 + 6 + 6)
    assert counted.jobs == 1 + 3 * (3 + 2 * tuned + 2 * shots)
    # Each of the few-shot models goes back to its own English one.
    assert counted.naive_jobs == counted.jobs + 3 * shots


@pytest.mark.parametrize(
    ("first", "second", "common"),
    [
        ("adversarial", "nine_intermediate_tasks", "finetune-xnli-en-seed0"),
        ("language_pairs", "nine_intermediate_tasks", "finetune-panx-en-seed0"),
        ("language_pairs", "adversarial", "finetune-tydiqa-en-seed0"),
        ("intermediate_size", "nine_intermediate_tasks", "finetune-pawsx-en-seed0"),
        ("intermediate_size", "nine_intermediate_tasks", "intermediate-qqp-en-n1000-seed0"),
    ],
)
def test_studies_beside_each_other_share_what_they_have_in_common(first, second, common, tmp_path):
    keys = []
    for name in (first, second):
        study = study_of(name)
        assert study.output_dir == f"runs/real/{name}"
        (wanted,) = (one for one in expand(study) if one.name == common)
        keys.append(stage_key.keys([wanted], tmp_path)[common])
    assert keys[0] == keys[1]


GUIDE = (REPOSITORY / "docs" / "studies.md").read_text(encoding="utf-8")
# Question, both files, jobs with and without sharing, chip-hours.
TABLE = re.findall(
    r"^\| [1-6]\. .* \| `real/(\w+).gin` \| `(\w+).gin` \| ([\d,]+), ([\d,]+) \| ([\d,]+) \|$",
    GUIDE,
    re.MULTILINE,
)


def test_the_table_of_the_guide_has_all_and_counts_their_jobs():
    assert sorted(name for name, *_ in TABLE) == STUDIES
    for name, small, jobs, naive, _ in TABLE:
        assert small == name
        counted = sharing(stages_of(name))
        assert (f"{counted.jobs:,}", f"{counted.naive_jobs:,}") == (jobs, naive)


def test_the_study_that_the_guide_shows_is_one(tmp_path):
    (shown,) = re.findall(r"^```gin\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    file = tmp_path / "swahili.gin"
    file.write_text(shown, encoding="utf-8")
    config.load([str(file)])
    stages = expand(config.call(plan.Study))
    assert len(stages) == 3 * (1 + 1 + 2 * 2)
    assert all(stage.resolve(one) for one in stages)


@pytest.mark.parametrize("line", re.findall(r"^mt5x study (.*/real/.*)$", GUIDE, re.MULTILINE))
def test_the_commands_of_the_guide_bind_what_there_is(line):
    args = command.read_arguments(shlex.split(line))
    assert expand(command.load(args))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "chip_hours"), [(row[0], row[-1]) for row in TABLE])
def test_the_guide_s_chip_hours_are_what_is_planned(name, chip_hours):
    found = forecast.of_stages(stages_of(name), accelerators.named("v5e-8"))
    planned = total(one.cost for one in found).chip_hours
    assert planned is not None
    assert f"{planned:,.0f}" == chip_hours


SMALL = """
include 't5x_configs/studies/real/language_pairs.gin'

Study:
  model = 't5x_configs/models/mt5_tiny.gin'
  checkpoint = None
  pretraining = {{
    'MIXTURE_OR_TASK_NAME': 'mc4_span_corruption',
    'TASK_FEATURE_LENGTHS': {{'inputs': 32, 'targets': 9}},
    'PACK': False, 'BATCH_SIZE': 8, 'TRAIN_STEPS': 2,
  }}
  data_dir = '{folder}/world'
  output_dir = '{folder}/out'
  seeds = (0,)
  finetuning = {{
    'BATCH_SIZE': 8, 'TRAIN_STEPS_RELATIVE': 2,
    'TASK_FEATURE_LENGTHS': {{'inputs': 64, 'targets': 32}},
  }}
  evaluation = {{'EVALUATOR_NUM_EXAMPLES': 2}}
  lm_statistics = {{
    'TASK_FEATURE_LENGTHS': {{'inputs': 32, 'targets': 9}}, 'LANGUAGES': ['en', 'sw'],
    'LM_NUM_EXAMPLES': 8,
  }}
panx/Transfer.languages = ['en', 'sw']
xnli/Transfer.languages = ['en', 'sw']
tydiqa/Transfer.languages = ['en', 'sw']
SHOTS = (8,)
FEW_SHOT_MACROS = {{'TRAIN_STEPS_RELATIVE': 1, 'PACK': False}}
"""


@pytest.mark.slow
def test_a_study_of_real_data_runs_where_all_is_small(tmp_path):
    """The same files, with another model and few steps, read the sample world."""
    writing.write(Settings(size="small"), tmp_path / "world", lambda name, done, total: None)
    file = tmp_path / "small.gin"
    file.write_text(SMALL.format(folder=tmp_path), encoding="utf-8")
    results, report = command.run_study(command.load(command.read_arguments(["run", str(file)])))
    rows = read_rows(results)
    scored = {(row.task, row.source, row.target, row.shots) for row in rows if row.source}
    for task in ("panx", "xnli", "tydiqa"):
        pairs = {(task, one, other, None) for one in ("en", "sw") for other in ("en", "sw")}
        assert pairs | {(task, "en", "sw", 8)} <= scored
    splits = {row.task: row.split for row in rows}
    assert (splits["panx"], splits["xnli"], splits["tydiqa"]) == ("test", "test", "validation")
    assert report.is_file()
