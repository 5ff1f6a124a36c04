"""NLI, paraphrases and AdvGLUE in every form they are distributed in become their data sets."""

import json
from pathlib import Path

import pytest
import seqio

from tasks import languages
from tasks.importers import nli, qqp, xnli
from tasks.importers import run as importer
from tasks.importers.base import Reading
from tests.tasks import benchmark_files as bf
from tests.tasks.importing import Files, import_all, make, read, rows_of

NO_PREMISE = dict.fromkeys(languages.XNLI, "")


def test_multinli_in_its_own_form_keeps_text_and_leaves_out_what_nobody_agreed_on(tmp_path) -> None:
    name = "multinli_1.0/multinli_1.0_train.jsonl"
    reading = Reading()
    assert import_all(tmp_path, {name: bf.MULTINLI}, reading) == {nli.MULTI_NLI: {"train": 2}}
    assert reading.left_out == {(tmp_path / "source" / name, nli.NO_AGREEMENT): 1}
    assert read(tmp_path / "out", nli.MULTI_NLI, "train") == [
        {"premise": "Cows graze. ", "hypothesis": 'They are "calm". ', "label": 1},
        {"premise": "She sang.", "hypothesis": "She was silent.", "label": 2},
    ]


def test_snli_rows_may_lack_annotators_and_keep_missing_labels(tmp_path) -> None:
    assert import_all(tmp_path, {"snli_1.0/snli_1.0_dev.txt": bf.SNLI_TXT}) == {
        nli.SNLI: {"validation": 2}
    }
    assert read(tmp_path / "out", nli.SNLI, "validation") == [
        {"premise": "A dog runs.", "hypothesis": "A dog moves.", "label": 0},
        {"premise": "A boy eats.", "hypothesis": "A boy eats fish.", "label": -1},
    ]


@pytest.mark.parametrize(
    ("contents", "split", "row"),
    [
        ({"MNLI/train.tsv": bf.GLUE_MNLI}, "train", ("Hills rise.", "They are high. ", "neutral")),
        ({"GLUE/MNLI/dev_mismatched.tsv": bf.GLUE_MNLI}, "validation_mismatched", None),
        ({"mnli/validation_matched.tsv": bf.MNLI}, "validation_matched", ("A .", "B .", "neutral")),
        ({"xnli/train-en.tsv": bf.XNLI_EN}, "train", ("It rained.", "It was wet.", "entailment")),
        (
            {
                "XNLI-MT-1.0/multinli/multinli.train.en.tsv": (
                    "premise\thypo\tlabel\nA b .\tC d .\tcontradictory\n"
                )
            },
            "train",
            ("A b .", "C d .", "contradiction"),
        ),
    ],
)
def test_other_forms_of_multinli(contents: Files, split, row, tmp_path: Path) -> None:
    (found,) = rows_of(make(tmp_path, contents), nli.MULTI_NLI, split)
    assert tuple(found) == nli.COLUMNS
    assert row in (None, tuple(found.values()))


def test_the_same_rows_in_two_forms_of_one_folder_are_read_once(tmp_path: Path) -> None:
    source = make(
        tmp_path,
        {
            "a/multinli_1.0_train.jsonl": bf.MULTINLI,
            "a/multinli_1.0_train.txt": "not read",
            "b/multinli.train.en.tsv": "not read",
            "MNLI/test_matched.tsv": "not read",
        },
    )
    planned = importer.plan(source)
    assert planned.files == [source / "a/multinli_1.0_train.jsonl"]
    assert planned.left_out == {
        source / "a/multinli_1.0_train.txt": (
            "the same rows as multinli_1.0_train.jsonl, which is read"
        ),
        source / "b/multinli.train.en.tsv": "MultiNLI's own training rows are read instead",
        source / "MNLI/test_matched.tsv": "GLUE gives no labels of MNLI's test sets",
    }


def test_anli_in_both_layouts(tmp_path: Path) -> None:
    rows = bf.jsonl(bf.anli_object("c", "u1"), bf.anli_object("n", "u2"))
    layouts = {"anli_v1.0/R2/train.jsonl": rows, "anli/r3-dev.jsonl": rows}
    source = make(tmp_path, layouts)
    assert importer.plan(source).datasets.keys() == {"anli/r2:0.1.0", "anli/r3:0.1.0"}
    assert rows_of(source, "anli/r3:0.1.0", "validation") == [
        {"uid": uid, "context": "Rome is old.", "hypothesis": "Rome is not new.", "label": label}
        for uid, label in (("u1", "c"), ("u2", "n"))
    ]


def test_xnli_of_all_languages_in_one_file_is_what_a_file_a_language_gives(tmp_path: Path) -> None:
    header = ("premise", "hypothesis", "label")
    by_language = {
        "xnli/dev-ar.tsv": bf.tsv(
            header, ("هو نائم.", "هو متعب.", "neutral"), ("ركض.", "تحرك.", "entailment")
        ),
        "xnli/dev-sw.tsv": bf.tsv(
            header, ("Amelala.", "Amechoka.", "neutral"), ("Alikimbia.", "Alisonga.", "entailment")
        ),
    }
    keys = ("language", "gold_label", "sentence1", "sentence2", "pairID")
    lines = [line.split("\t") for line in bf.XNLI_JOINED.splitlines()[1:]]
    as_json = bf.jsonl(
        *(dict(zip(keys, (*line[:2], *line[3:]), strict=True)) for line in reversed(lines))
    )
    expected = rows_of(make(tmp_path / "a", by_language), xnli.XNLI, "validation")
    assert expected[0]["premise"] == {**NO_PREMISE, "ar": "هو نائم.", "sw": "Amelala."}
    joined = make(tmp_path / "b", {"XNLI-1.0/xnli.dev.tsv": bf.XNLI_JOINED})
    assert rows_of(joined, xnli.XNLI, "validation") == expected
    # In JSON, and in another order.
    other = make(tmp_path / "c", {"XNLI-1.0/xnli.dev.jsonl": as_json})
    assert rows_of(other, xnli.XNLI, "validation") == expected[::-1]


def test_xtremes_translations_bring_english_and_repeat_no_pair(tmp_path: Path) -> None:
    english = [
        ("It rained.", "It was wet."),
        ("He ran.", "He stood."),
        ("It rained.", "It was wet."),
    ]
    labels = ("entailment", "contradictory", "entailment")
    swahili = [("Ilinyesha.", "Ilikuwa mvua."), ("Alikimbia.", " "), ("Mvua.", "Maji.")]
    turkish = [("Yağdı.", "Islaktı."), ("Koştu.", "Durdu."), ("Yağmur.", "Su.")]
    path = "xnli/translate-train/en-{}-translated.tsv"
    source = make(
        tmp_path,
        {
            path.format(code): bf.tsv(
                *((*e, *t, label) for e, t, label in zip(english, texts, labels, strict=True))
            )
            for code, texts in (("sw", swahili), ("tr", turkish))
        },
    )
    reading = Reading()
    rows = list(importer.plan(source).datasets[xnli.XTREME_XNLI]["train"](reading))
    assert rows == [
        {
            "premise": {**NO_PREMISE, "en": "It rained.", "sw": "Ilinyesha.", "tr": "Yağdı."},
            "hypothesis": {"en": "It was wet.", "sw": "Ilikuwa mvua.", "tr": "Islaktı."},
            "label": "entailment",
        },
        {
            "premise": {**NO_PREMISE, "en": "He ran.", "tr": "Koştu."},
            "hypothesis": {"en": "He stood.", "tr": "Durdu."},
            "label": "contradiction",
        },
    ]
    first = source / path.format("sw")
    assert reading.left_out == {(first, xnli.BLANK): 1, (first, xnli.REPEATED): 1}


def test_xnli_mt_translations_and_english_go_to_two_data_sets(tmp_path: Path) -> None:
    text = "premise\thypo\tlabel\n{}\tb\tneutral\nc\td\tcontradictory\n"
    folder = "XNLI-MT-1.0/multinli/multinli.train.{}.tsv"
    source = make(tmp_path, {folder.format(code): text.format("a") for code in ("ar", "en", "hi")})
    assert importer.plan(source).datasets.keys() == {nli.MULTI_NLI, xnli.XTREME_XNLI}
    rows = rows_of(source, xnli.XTREME_XNLI, "train")
    assert [row["label"] for row in rows] == ["neutral", "contradiction"]
    assert rows[0]["hypothesis"] == {"ar": "b", "hi": "b"}
    with_blank = make(tmp_path / "2", {folder.format(c): text.format("") for c in ("ar", "hi")})
    # The row that is blank in all languages is no row.
    assert len(rows_of(with_blank, xnli.XTREME_XNLI, "train")) == 1


def test_pawsx_as_distributed_and_xtremes_translations(tmp_path: Path) -> None:
    filler = [(str(n), f"Satz {n}.", f"Satz Nr. {n}.", "0") for n in range(10, 300)]
    header = ("id", "sentence1", "sentence2", "label")
    train = bf.tsv(header, *filler, ("300", "wrongly", "populated", "Satz"), ("7", "a", "b", "1"))
    translated = bf.tsv(
        *(("e", "f", *row[1:]) for row in filler), ("e", "f", "", "x", "1"), ("e", "f", "g", "1")
    )
    counts = import_all(
        tmp_path,
        {
            "x-final/de/translated_train.tsv": train,
            "x-final/de/dev_2k.tsv": bf.PAWSX,
            "x-final/en/train.tsv": bf.PAWSX,
            "paws_x/test-de.tsv": bf.PAWSX,
            "PAWSX/translate-train/en-ja-translated.tsv": translated,
        },
        reading := Reading(),
    )
    assert counts == {
        "paws_x_wiki/de:1.0.0": {"train": 291, "validation": 2, "test": 2},
        "paws_x_wiki/en:1.0.0": {"train": 2},
        "xtreme_pawsx/ja:1.0.0": {"train": 290},
    }
    rows = read(tmp_path / "out", "paws_x_wiki/de:1.0.0", "validation")
    assert rows[0] == {"sentence1": 'Er "kam".', "sentence2": "Sie kam.", "label": 0}
    assert {reason: count for (_, reason), count in reading.left_out.items()} == {
        "unknown label 'Satz', expected one of 0 1": 1,
        "the translation is blank": 1,
        "expected 5 columns, found 4": 1,
    }


def test_qqp_in_glue_and_in_the_partition(tmp_path: Path) -> None:
    unlabelled = "id\tquestion1\tquestion2\n0\tWhy?\tWhy not?\n"
    filler = bf.tsv(*(("1", f"Is it {n}?", f"Is {n} it?", str(n)) for n in range(100, 220)))
    cut = filler.encode() + b"0\tIs it \xe2\x80?\tor 500 \xe2\x82\xb9?\t999\n"
    counts = import_all(
        tmp_path,
        {
            "QQP/dev.tsv": bf.GLUE_QQP,
            "QQP/test.tsv": unlabelled,
            "Quora_question_pair_partition/train.tsv": cut + bf.PARTITION_QQP.encode(),
        },
        reading := Reading(),
    )
    assert counts == {qqp.GLUE_QQP: {"validation": 2, "test": 1, "train": 122}}
    out = tmp_path / "out"
    first, second = read(out, qqp.GLUE_QQP, "validation")
    assert first == {
        "question1": 'Is "soup" food?',
        "question2": "Is soup a food?",
        "label": 1,
        "idx": 0,
    }
    assert (second["label"], second["idx"]) == (0, 1)
    assert read(out, qqp.GLUE_QQP, "test")[0]["label"] == -1
    assert read(out, qqp.GLUE_QQP, "train")[-1] == {
        "question1": "Where?",
        "question2": "When?",
        "label": 0,
        "idx": 80,
    }
    assert list(reading.left_out.values()) == [1]


def test_pairs_that_a_line_end_breaks_are_left_out_of_glues_qqp(tmp_path: Path) -> None:
    header, *rows = bf.GLUE_QQP.splitlines()
    filler = [f"{n}\t1\t2\tIs it {n}?\tIs {n} it?\t0" for n in range(100, 400)]
    broken = ["400\t1\t2\tWhy", "is it so?\tWhy so?\t1", "401\t1\t2\t\tWhy?\t0"]
    source = make(tmp_path, {"QQP/train.tsv": "\n".join([header, *rows, *filler, *broken, ""])})
    reading = Reading()
    found = list(importer.plan(source).datasets[qqp.GLUE_QQP]["train"](reading))
    assert len(found) == 302
    assert {reason: count for (_, reason), count in reading.left_out.items()} == {
        "expected 6 columns, found 4": 1,
        "expected 6 columns, found 3": 1,
        "the column 'question1' is empty": 1,
    }


def test_advglue_gives_a_data_set_a_task(tmp_path: Path) -> None:
    document = bf.advglue_document()
    del document["rte"]
    counts = import_all(tmp_path, {"advglue/dev.json": json.dumps(document)})
    assert counts == {
        f"advglue/{task}:1.0.0": {"validation": 1}
        for task in ("sst2", "qqp", "mnli", "mnli_mismatched", "qnli")
    }
    out = tmp_path / "out"
    assert read(out, "advglue/sst2:1.0.0", "validation") == [
        {"idx": 0, "text1": "a joy .", "text2": "", "label": 1}
    ]
    assert read(out, "advglue/mnli:1.0.0", "validation") == [
        {"idx": 4, "text1": "It is.", "text2": "It is not.", "label": 2}
    ]
    planned = importer.plan(tmp_path / "source")
    assert planned.missing == ["advglue: dev.json has no rte"]


def test_the_tasks_read_what_was_imported(tmp_path: Path, monkeypatch) -> None:
    import_all(
        tmp_path,
        {
            "xnli/dev-en.tsv": bf.XNLI_EN,
            "xnli/dev-hi.tsv": bf.XNLI_HI,
            "paws_x/dev-de.tsv": bf.PAWSX,
        },
    )
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "out"))
    texts = {}
    for name in ("xnli_eval.hi", "pawsx_eval.de"):
        rows = seqio.get_mixture_or_task(name).get_dataset(None, "validation", shuffle=False)
        texts[name] = [
            tuple(row[f"{key}_pretokenized"].decode() for key in ("inputs", "targets"))
            for row in rows.as_numpy_iterator()
        ]
    assert texts == {
        "xnli_eval.hi": [("xnli: premise: बारिश हुई। hypothesis: गीला था।", "0")],
        "pawsx_eval.de": [
            ('paws sentence1: Er "kam". sentence2: Sie kam.', "different_meaning"),
            ("paws sentence1: a sentence2: b", "paraphrase"),
        ],
    }
