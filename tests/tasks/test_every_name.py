"""Every registered name gives batches: none is skipped, and what has no data says what it needs."""

import collections
from pathlib import Path

import numpy as np
import pytest
import seqio

from tasks import catalogue, vocabulary
from tasks.definitions import DATA_SETS
from tests.tasks import made_up_data

LENGTHS = {"inputs": 64, "targets": 32}

# One task of every data set and kind, and one mixture of every form; all of them take half an hour.
SOME_TASKS = [
    *(
        catalogue.task(name, kind, part.languages[-1])
        for name, one in DATA_SETS.items()
        for kind, part in one.parts.items()
    ),
    "mc4_span_corruption.sw",
    "mc4_no_sentinels.he",
]
SOME_MIXTURES = (
    *("xnli_zeroshot", "xquad_zeroshot", "pawsx_translate_train", "tydiqa_in_language"),
    *("mlqa_translate_train", "anli_plus", "intermediate_nine.capped", "mc4_no_sentinels"),
    *("xnli_zeroshot.sw:n3", "panx_fewshot.en.sw:n2", "xnli_sources.families.2"),
    *("mnli_train.en:mlm2", "tydiqa_eval.fi:typos20", "squad1:nosentinels2"),
)
ALL = [*seqio.TaskRegistry.names(), *seqio.MixtureRegistry.names()]


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("every_data_set")
    for name in made_up_data.full_names():
        made_up_data.write(name, folder)
    return folder


def one_batch(name: str, split: str) -> dict[str, np.ndarray]:
    """The first packed batch of two rows, or of one where the data is used up."""
    dataset = seqio.get_dataset(
        name,
        task_feature_lengths=LENGTHS,
        feature_converter=seqio.EncDecFeatureConverter(pack=True),
        dataset_split=split,
        shuffle=True,
        seed=0,
        use_cached=False,
        verbose=False,
    )
    return next(dataset.batch(2).as_numpy_iterator())


def check(name: str, every_split: bool) -> None:
    provider = seqio.get_mixture_or_task(name)
    splits = sorted({split for task in seqio.get_subtasks(provider) for split in task.splits})
    assert splits
    if isinstance(provider, seqio.Mixture) or not every_split:
        # What is trained on, or else the first. A mixture's eval tasks are looked at one by one, as
        # the evaluation does: forty languages in one pipeline take seconds to build.
        splits = ["train"] if "train" in splits else splits[:1]
    for split in splits:
        batch = one_batch(name, split)
        assert batch["encoder_input_tokens"].shape[1] == LENGTHS["inputs"]
        # Something to read and something to predict in the first row.
        assert batch["encoder_input_tokens"][0].any(), (name, split)
        assert batch["decoder_loss_weights"][0].any(), (name, split)


@pytest.mark.parametrize("name", [*SOME_TASKS, *SOME_MIXTURES])
def test_every_form_of_name_gives_batches(name: str, made_up: Path, monkeypatch) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(made_up))
    check(name, every_split=True)


@pytest.mark.exhaustive
def test_every_registered_name_gives_batches_in_mt5s_vocabulary(
    made_up: Path, shared: Path, monkeypatch
) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(made_up))
    vocabulary.choose(shared / "data" / "mt5_vocab" / "spiece.model")
    for name in ALL:
        check(name, every_split=False)


def test_gold_against_gold_is_perfect_everywhere(made_up: Path, monkeypatch) -> None:
    """Scores that should be high are 100 and rates of errors 0, on the tasks' own gold texts."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(made_up))
    for name in SOME_TASKS:
        task = seqio.get_mixture_or_task(name)
        data = catalogue.parse(name).data
        if data in catalogue.TEXT or catalogue.embedded(name):
            continue
        split = task.splits[0]
        rows = list(task.get_dataset(None, split, shuffle=False).as_numpy_iterator())
        texts = [row["targets_pretokenized"].decode() for row in rows]
        gold = [
            task.postprocess_fn(text, example=row, is_target=True)
            for text, row in zip(texts, rows, strict=True)
        ]
        predicted = [task.postprocess_fn(text, example=None, is_target=False) for text in texts]
        scores = {k: v for metric in task.metric_fns for k, v in metric(gold, predicted).items()}
        assert tuple(scores) == DATA_SETS[data].scores.names
        assert scores[catalogue.main_metric(data)] == pytest.approx(100.0), name


def test_without_data_every_name_says_what_it_needs(tmp_path: Path, monkeypatch) -> None:
    """Nothing is skipped in silence: the data set is named, and the command that writes it."""
    from tasks.errors import DataError

    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    needed: collections.Counter[str] = collections.Counter()
    for name in SOME_TASKS:
        task = seqio.get_mixture_or_task(name)
        with pytest.raises(DataError, match="import-data") as error:
            task.get_dataset(LENGTHS, task.splits[0], shuffle=False)
        stored = repr(task.source).split("'")[1]
        assert stored in str(error.value)
        needed[stored.partition("/")[0].partition(":")[0]] += 1
    assert set(needed) >= set(made_up_data.tfds_schemas.SCHEMAS) - {"bucc"}
