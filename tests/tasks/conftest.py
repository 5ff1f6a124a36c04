"""A small TFDS data directory of our own rows, in several scripts, for the tests of the tasks."""

import os
from pathlib import Path
from typing import Any

import pytest

from tasks import data_dir, languages, network, tfds_writer, vocabulary

# Our own sentences. A language without a sentence here is missing from a row, as it may be.
PREMISES = {
    "en": "The cat sleeps.",
    "de": "Die Katze schläft.",
    "ar": "القطة نائمة.",
    "hi": "बिल्ली सो रही है।",
    "sw": "Paka amelala.",
}
HYPOTHESES = {
    "en": "An animal rests.",
    "de": "Ein Tier ruht.",
    "ar": "حيوان يستريح.",
    "hi": "एक जानवर आराम कर रहा है।",
    "sw": "Mnyama anapumzika.",
}

NLI_ROW: dict[str, Any] = {
    "premise": {code: PREMISES.get(code, "") for code in languages.XNLI},
    "hypothesis": HYPOTHESES,
    "label": "entailment",
}
ENGLISH_ONLY_ROW: dict[str, Any] = {
    "premise": {code: "Rain fell." if code == "en" else "" for code in languages.XNLI},
    "hypothesis": {"en": "It was dry."},
    "label": "contradiction",
}
MNLI_ROW: dict[str, Any] = {"premise": "A dog barks.", "hypothesis": "It is loud.", "label": 1}
PANX_ROWS: dict[str, dict[str, Any]] = {
    "en": {
        "tokens": ["Ada", "Lovelace", "met", "Mary", "in", "London", "."],
        "tags": ["B-PER", "I-PER", "O", "B-PER", "O", "B-LOC", "O"],
        "langs": ["en"] * 7,
        "spans": ["PER: Ada Lovelace", "PER: Mary", "LOC: London"],
    },
    "bn": {
        "tokens": ["রবি", "ঢাকায়", "থাকে"],
        "tags": ["B-PER", "B-LOC", "O"],
        "langs": ["bn"] * 3,
        "spans": ["PER: রবি", "LOC: ঢাকায়"],
    },
    "ar": {"tokens": ["لا", "أحد"], "tags": ["O", "O"], "langs": ["ar"] * 2, "spans": ["None"]},
}
PAWSX_ROWS: dict[str, dict[str, Any]] = {
    "en": {"sentence1": "He left after her.", "sentence2": "She left after him.", "label": 0},
    "ja": {"sentence1": "雨が降る。", "sentence2": "雨降りだ。", "label": "paraphrase"},
}


def question(identifier: str, text: str, context: str, *answers: str) -> dict:
    """A row in SQuAD's form."""
    return {
        "id": identifier,
        "title": "t",
        "context": context,
        "question": text,
        "answers": {"text": list(answers), "answer_start": [context.index(a) for a in answers]},
    }


FINNISH = question(
    "finnish-12-0", "Missä Åbo on?", "Åbo (Turku) on etelässä.", "etelässä", "etelässä."
)
TELUGU = question("telugu--7-1", "ఎవరు?", "అతను రాము, 'కవి'.", "రాము, 'కవి'")
ENGLISH = question("english-3-0", "Who ran?", "Only Bob_2 ran  3.5 km.", "Bob_2")


@pytest.fixture(scope="session")
def tfds_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TFDS data directory with the rows above under their official names."""
    folder = tmp_path_factory.mktemp("tfds")
    write = tfds_writer.write_dataset
    write("multi_nli:1.1.0", {"train": [MNLI_ROW] * 3}, folder)
    rows = [NLI_ROW, ENGLISH_ONLY_ROW]
    write("xnli:1.1.0", {"validation": rows, "test": rows[:1]}, folder)
    write("xtreme_xnli:1.1.0", {"train": rows}, folder)
    for code, row in PANX_ROWS.items():
        write(f"wikiann/{code}:1.0.0", {"train": [row] * 2, "validation": [row]}, folder)
    for code, row in PAWSX_ROWS.items():
        write(f"paws_x_wiki/{code}:1.0.0", {"train": [row], "validation": [row]}, folder)
    write(
        "tydi_qa/goldp:3.0.0",
        {
            "train": [FINNISH, ENGLISH, FINNISH],
            "validation": [FINNISH, TELUGU],
            "validation-fi": [FINNISH],
            "validation-te": [TELUGU],
        },
        folder,
    )
    write(
        "c4/multilingual:3.1.0",
        {"sw": [text(n) for n in range(1, 40)], "sw-validation": [text(30), text(1), text(7)]},
        folder,
    )
    return folder


def text(words: int) -> dict:
    """A document of mC4 of so many words."""
    return {
        "text": " ".join(f"neno{n}" for n in range(words)),
        "url": "u",
        "content-type": "",
        "content-length": "",
        "timestamp": "",
    }


@pytest.fixture(autouse=True)
def _isolated(monkeypatch: pytest.MonkeyPatch):
    """No network, bytes as vocabulary, and no choice that outlives a test."""
    monkeypatch.setattr(network, "reachable", lambda: False)
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    vocabulary.choose("byt5")
    yield
    vocabulary.choose("mt5")
    data_dir.use(None)


@pytest.fixture
def tfds_env(tfds_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data directory, named by TFDS_DATA_DIR."""
    monkeypatch.setenv("TFDS_DATA_DIR", os.fspath(tfds_dir))
    return tfds_dir
