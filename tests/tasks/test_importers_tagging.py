"""Tags: PANX in two layouts, parts of speech in CoNLL-U and XTREME's columns, CCG supertags."""

import json
import random
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_datasets.core.dataset_builders.conll import conllu_dataset_builder as official_pos
from tensorflow_datasets.text.wikiann.wikiann import Wikiann

from tasks.errors import DataError
from tasks.importers import ccg, panx, udpos
from tasks.importers import run as importer
from tasks.importers.base import Reading
from tasks.tfds_schemas import PANX_TAGS, UPOS_TAGS
from tests.tasks.importing import import_all, make, read, refused

PANX = "Ada\tB-PER\nmet\tO\nসুমন\tB-PER\nরায়\tI-PER\n\n\nকেউ\tO\n"
WIKIANN = "".join(f"bn:{line}\n" if line else "\n" for line in PANX.splitlines())


def word(identifier: str, form: str, upos: str) -> str:
    return "\t".join([identifier, form, "_", upos, "_", "_", "0", "root", "_", "_"])


# A multiword token with its two words, a comment, and an empty node with a part of speech.
ARABIC = [
    "# sent_id = 1",
    "# text = وبيت",
    word("1-2", "وبيت", "_"),
    word("1", "و", "CCONJ"),
    word("2", "بيت", "NOUN"),
    word("2.1", "كان", "VERB"),
    word("2.2", "_", "_"),
    word("3", ".", "PUNCT"),
    "",
    word("1", "#", "SYM"),
    "",
]
CONLLU = "\n".join(ARABIC) + "\n"
WITHOUT_TEXT = f"{word('1', '_', 'NOUN')}\n{word('2', '_', 'VERB')}\n\n"
TAGALOG = f"{word('1', 'Tumakbo', 'VERB')}\n\n"
TAMIL = f"{word('1', 'ஓடினான்', 'VERB')}\n\n"
XTREME_POS = "Ulikimbia\tVERB\n.\tPUNCT\n\n# \tSYM\n"
CCG = "It\tNP\nruns\t(S[dcl]\\NP)/NP\n.\t.\n\n#\tN/N[num]\n"
CANDC = "It\tPRP\tNP\nruns\tVBZ\tS[dcl]\\NP\n"
UD = "ud-treebanks-v2.5/UD_{}/{}"
AR = UD.format("Arabic-PADT", "ar_padt-ud-train.conllu")
GOOD = {
    "panx/dev-bn.tsv": PANX,
    "panx_dataset/bn.tar.gz/train": WIKIANN,
    AR: CONLLU,
    "udpos/test-de.tsv": XTREME_POS,
    "ccg/train.conll": CCG,
    "ccg/dev.conll": CANDC,
}
POS_AR, POS_DE = "xtreme_pos/xtreme_pos_ar:1.0.0", "xtreme_pos/xtreme_pos_de:1.0.0"


def test_all_are_imported_and_tfds_reads_them(tmp_path: Path) -> None:
    assert import_all(tmp_path, GOOD) == {
        "wikiann/bn:1.0.0": {"train": 2, "validation": 2},
        POS_AR: {"train": 2},
        POS_DE: {"test": 2},
        "ccgbank:1.0.0": {"validation": 1, "train": 2},
    }
    out = tmp_path / "out"
    first, second = read(out, "wikiann/bn:1.0.0", "train")
    assert first["tokens"] == ["Ada", "met", "সুমন", "রায়"]
    assert [PANX_TAGS[tag] for tag in first["tags"]] == ["B-PER", "O", "B-PER", "I-PER"]
    assert first["langs"] == ["bn"] * 4
    assert (first["spans"], second["spans"]) == (["PER: Ada", "PER: সুমন রায়"], ["None"])
    assert read(out, "wikiann/bn:1.0.0", "validation") == [first, second]
    arabic = read(out, POS_AR, "train")
    assert [row["tokens"] for row in arabic] == [["و", "بيت", "كان", "."], ["#"]]
    assert [UPOS_TAGS[tag] for tag in arabic[0]["upos"]] == ["CCONJ", "NOUN", "VERB", "PUNCT"]
    assert [row["tokens"] for row in read(out, POS_DE, "test")] == [["Ulikimbia", "."], ["# "]]
    assert read(out, "ccgbank:1.0.0", "train") == [
        {"tokens": ["It", "runs", "."], "tags": ["NP", r"(S[dcl]\NP)/NP", "."]},
        {"tokens": ["#"], "tags": ["N/N[num]"]},
    ]
    assert read(out, "ccgbank:1.0.0", "validation")[0]["tags"] == ["NP", r"S[dcl]\NP"]


def test_tamil_and_tagalog_are_where_tfds_has_them(tmp_path: Path) -> None:
    tagalog = UD.format("UD_Tagalog-TRG", "tl_trg-ud-test.conllu")
    tamil = UD.format("UD_Tamil-TTB", "ta_ttb-ud-dev.conllu")
    counts = import_all(tmp_path, {tagalog: TAGALOG, tamil: TAMIL})
    in_ta, in_tl = "xtreme_pos/xtreme_pos_ta:1.0.0", "xtreme_pos/xtreme_pos_tl:1.0.0"
    assert counts == {in_ta: {"test": 1}, in_tl: {"dev": 1}}
    assert read(tmp_path / "out", in_ta, "test")[0]["tokens"] == ["Tumakbo"]
    assert read(tmp_path / "out", in_tl, "dev")[0]["tokens"] == ["ஓடினான்"]
    assert (udpos.dataset("ta"), udpos.dataset("tl"), udpos.dataset("ar")) == (in_tl, in_ta, POS_AR)


def test_treebanks_of_a_language_are_joined_and_other_languages_left_out(tmp_path: Path) -> None:
    names = {
        "UD_German-HDT": ("de_hdt-ud-train-a-1.conllu", "de_hdt-ud-train-b-1.conllu"),
        "UD_German-GSD": ("de_gsd-ud-train.conllu",),
        # TFDS would count Old French and Classical Chinese as French and Chinese.
        "UD_Old_French-SRCMF": ("fro_srcmf-ud-train.conllu",),
        "UD_Classical_Chinese-Kyoto": ("lzh_kyoto-ud-train.conllu",),
        # XTREME has no training treebank for Thai.
        "UD_Thai-New": ("th_new-ud-train.conllu",),
    }
    treebanks = {UD.format(folder, name): CONLLU for folder, of in names.items() for name in of}
    source = make(tmp_path / "source", treebanks)
    planned = importer.plan(source)
    assert importer.write(planned, tmp_path / "out") == {POS_DE: {"train": 6}}
    reasons = {path.name: reason for path, reason in planned.left_out.items()}
    assert reasons == {
        "fro_srcmf-ud-train.conllu": "xtreme_pos does not have the language 'fro'",
        "lzh_kyoto-ud-train.conllu": "xtreme_pos does not have the language 'lzh'",
        "th_new-ud-train.conllu": "xtreme_pos has no 'train' split of 'th'",
    }


def test_sentences_without_their_text_are_left_out_and_counted(tmp_path: Path) -> None:
    reading = Reading()
    nyuad = UD.format("UD_Arabic-NYUAD", "ar_nyuad-ud-train.conllu")
    assert import_all(tmp_path, {**GOOD, nyuad: WITHOUT_TEXT * 3}, reading)[POS_AR] == {"train": 2}
    assert reading.left_out == {(tmp_path / "source" / nyuad, udpos.NO_TEXT): 3}


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        ({AR: CONLLU, "udpos/train-ar.tsv": XTREME_POS}, "both hold the split 'train' of xtreme_p"),
        ({"a/ccg/dev.conll": CCG, "b/ccg/dev.conll": CCG}, "both hold one split of ccgbank"),
        ({"panx/dev-bn.tsv": PANX, "panx/bn/dev": WIKIANN}, "both hold the split 'validation'"),
        ({"panx/dev-xx.tsv": PANX}, "'xx' is not a language of this data set"),
        ({"panx/sw.tar.gz": b"\x1f\x8b"}, "it is packed; unpack it first"),
        ({"ccg/all.conll": CCG}, "nothing to import"),
    ],
)
def test_what_cannot_be_planned(contents, reason, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=reason):
        importer.plan(make(tmp_path, contents))


def replaced(name: str, old: str, new: str) -> dict[str, str]:
    assert old in GOOD[name]
    return {name: GOOD[name].replace(old, new, 1)}


DEV, ORIGINAL, _, DE, CONLL, _ = GOOD
MALFORMED = {
    "panx: three columns": (replaced(DEV, "met\tO", "met\tx\tO"), 2, "found 3 columns"),
    "panx: no tag": (replaced(DEV, "met\tO", "met O"), 2, "a token, a tab and a tag, found 1 col"),
    "panx: no token": (replaced(DEV, "met\t", "\t"), 2, "the token is empty"),
    "panx: a blank token": (replaced(DEV, "met\t", "\u2003\t"), 2, "the token is empty"),
    "panx: unknown tag": (replaced(DEV, "met\tO", "met\tB-DOG"), 2, "unknown tag 'B-DOG'"),
    "panx: a tag in lower case": (replaced(DEV, "B-PER", "b-per"), 1, "unknown tag 'b-per'"),
    "panx: I after O": (
        replaced(DEV, "met\tO", "met\tO\nx\tI-PER"),
        3,
        "I-PER cannot follow O; an entity begins with B-PER",
    ),
    "panx: I of another kind": (replaced(DEV, "met\tO", "met\tI-LOC"), 2, "cannot follow B-PER"),
    "panx: I first": (replaced(DEV, "কেউ\tO", "কেউ\tI-ORG"), 7, "cannot follow the beginning"),
    "panx: blank": ({DEV: "\n\n"}, 1, "the file has no sentences"),
    "panx: spaces between": (replaced(DEV, "\n\n\n", "\n \n"), 5, "found 1 columns"),
    "panx: test without tags": (
        {"panx/test-bn.tsv": "কেউ\n\n"},
        1,
        "found 1 columns (XTREME's script removes the tags of test files; give the original ones)",
    ),
    "panx: CRLF": ({DEV: PANX.replace("\n", "\r\n")}, 1, "Windows line end"),
    "panx: Latin-1": ({DEV: b"ab\tO\nm\xe9t\tO\n"}, 2, "not valid UTF-8 at byte 2"),
    "wikiann: no language": (replaced(ORIGINAL, "bn:met", "met"), 2, "not begin with 'bn:'"),
    "wikiann: another": (replaced(ORIGINAL, "bn:met", "sw:met"), 2, "'sw:met' does not begin with"),
    "wikiann: no token": (replaced(ORIGINAL, "bn:met", "bn:"), 2, "the token is empty"),
    "ud: nine columns": (replaced(AR, "\t_\n", "\n"), 3, "expected 10 columns, found 9"),
    "ud: spaces for tabs": ({AR: CONLLU.replace("\t", " ")}, 3, "expected 10 columns, found 1"),
    "ud: ids that jump": (replaced(AR, "\n3\t", "\n4\t"), 8, "the word's id is 4, expected 3"),
    "ud: ids from 0": ({AR: word("0", "x", "X") + "\n"}, 1, "'0' is no id of CoNLL-U"),
    "ud: no id": (replaced(AR, "\n1\tو", "\n_\tو"), 4, "'_' is no id of CoNLL-U (1, 1-2 or 1.1)"),
    "ud: sentences run together": (
        {AR: CONLLU.replace("\n\n", "\n")},
        9,
        "the word's id is 1, expected 4",
    ),
    "ud: a range behind": (
        {AR: "\n".join([word("1", "a", "X"), word("1-2", "ab", "_")]) + "\n"},
        2,
        "the range 1-2 cannot stand before the word 2",
    ),
    "ud: a range of one": ({AR: word("1-1", "a", "_") + "\n"}, 1, "the range 1-1 cannot stand"),
    "ud: unknown tag": (replaced(AR, "NOUN", "noun"), 5, "unknown part of speech 'noun'"),
    "ud: a tag of a language": (replaced(AR, "NOUN", "NN"), 5, "unknown part of speech 'NN'"),
    "ud: no form": (replaced(AR, "بيت\t_\tNOUN", "\t_\tNOUN"), 5, "the form is empty"),
    "ud: comments alone": ({AR: "# sent_id = 1\n\n"}, 1, "the file has no sentences"),
    "ud: empty": ({AR: ""}, 1, "the file is empty"),
    "udpos: three columns": (replaced(DE, "VERB", "VERB\tV"), 1, "found 3 columns"),
    "udpos: unknown tag": (replaced(DE, "VERB", "V"), 1, "unknown part of speech 'V'"),
    "udpos: no token": (replaced(DE, "Ulikimbia", ""), 1, "the token is empty"),
    "ccg: one column": (replaced(CONLL, ".\t.", "."), 3, "found 1 columns"),
    "ccg: four columns": (replaced(CONLL, ".\t.", ".\t.\t.\t."), 3, "found 4 columns"),
    "ccg: columns that change": (replaced(CONLL, ".\t.", ".\t.\t."), 3, "found 3 columns"),
    "ccg: parentheses": (
        replaced(CONLL, "(S[dcl]", "((S[dcl]"),
        2,
        r"the category '((S[dcl]\NP)/NP' is not well-formed: its parentheses are not balanced",
    ),
    "ccg: a part of speech": (
        replaced(CONLL, "\tNP\n", "\tPRP\n"),
        1,
        "'PRP' is no atomic category; they are S N NP",
    ),
    "ccg: no token": (replaced(CONLL, "It\t", "\t"), 1, "the token is empty"),
    "ccg: no category": (replaced(CONLL, "It\tNP", "It\t"), 1, "the category '' is not well-form"),
}


@pytest.mark.parametrize(("bad", "line", "reason"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_files_are_named(bad, line, reason, tmp_path: Path) -> None:
    refused(tmp_path, GOOD, bad, line, reason)


@pytest.mark.parametrize(
    "category",
    [
        *(
            "N",
            ".",
            ";",
            "conj",
            "NP[expl]",
            r"S[dcl]\NP",
            "PP/NP",
            r"(S\NP)\(S\NP)",
            r"N\N[conj][nb]",
        ),
        *(r"((S[dcl]\NP[expl])/S[em])/(S[adj]\NP)", r"(S/(S\NP))/N"),
    ],
)
def test_categories_that_are_well_formed(category: str) -> None:
    assert ccg.flaw(category) is None


@pytest.mark.parametrize(
    ("category", "reason"),
    [
        ("", "expected an atom"),
        ("()", "expected an atom"),
        ("N/", "expected an atom"),
        (r"\NP", "expected an atom"),
        (r"S\NP/NP", "expected an atom, or two"),
        ("(N)/N", "expected an atom, or two"),
        ("N/((N))", "expected an atom, or two"),
        ("N)/(N", "expected an atom, or two"),
        ("N[", "expected an atom, or two"),
        ("N[]", "expected an atom, or two"),
        ("N N", "expected an atom, or two"),
        ("N|N", "expected an atom, or two"),
        ("@", "expected an atom, or two"),
        ("N/@", "expected an atom, or two"),
        (r"((S\NP)/NP", "not balanced"),
        (r"(S\NP)", "without the outer parentheses"),
        (r"((S[dcl]\NP)/NP)", "without the outer parentheses"),
        ("VBZ", "'VBZ' is no atomic category"),
        ("S[dcl]/Q", "'Q' is no atomic category"),
        ("s", "'s' is no atomic category"),
    ],
)
def test_categories_that_are_not(category: str, reason: str) -> None:
    assert reason in str(ccg.flaw(category))


ATOM = st.builds("{}{}".format, st.sampled_from(ccg.ATOMS), st.sampled_from(["", "[dcl]", "[nb]"]))
INNER = st.recursive(
    ATOM, lambda part: st.builds("({}{}{})".format, part, st.sampled_from("/\\"), part)
)


@given(left=INNER, slash=st.sampled_from("/\\"), right=INNER, data=st.data())
def test_categories_of_the_grammar_and_what_a_missing_parenthesis_makes(left, slash, right, data):
    category = f"{left}{slash}{right}"
    assert ccg.flaw(category) is None
    assert "outer" in str(ccg.flaw(f"({category})"))
    brackets = [place for place, letter in enumerate(category) if letter in "()"]
    if brackets:
        place = data.draw(st.sampled_from(brackets))
        assert ccg.flaw(category[:place] + category[place + 1 :])


@given(st.text("()/\\SNP.[]d@ "))
def test_no_text_breaks_the_check(text: str) -> None:
    assert ccg.flaw(text) is None or isinstance(ccg.flaw(text), str)


def random_tags(draw: random.Random, length: int) -> list[str]:
    tags: list[str] = []
    for _ in range(length):
        inside = [f"I{tags[-1][1:]}"] if tags and tags[-1] != "O" else []
        tags.append(draw.choice(["O", "B-PER", "B-LOC", "B-ORG", *inside * 3]))
    return tags


@pytest.mark.parametrize("seed", range(10))
def test_panx_rows_are_those_of_tfdss_builder(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    path = tmp_path / "train"
    lines = []
    for _ in range(20):
        tags = random_tags(draw, draw.randint(1, 12))
        lines += [f"hi:{draw.choice(['क', 'a:b', ':', 'ñ😀'])}\t{tag}" for tag in tags] + [""]
    path.write_text("\n".join(lines), encoding="utf-8")
    expected = [row for _, row in Wikiann._generate_examples(None, path)]
    assert list(panx.original_rows(path, "hi", Reading())) == expected


@pytest.mark.parametrize("seed", range(10))
def test_parts_of_speech_are_kept_as_tfdss_builder_keeps_them(seed: int, tmp_path: Path) -> None:
    """Ranges, empty nodes, underscores: the official rule decides for each line."""
    draw = random.Random(seed)
    path = tmp_path / "xx_x-ud-dev.conllu"
    lines, sentences = [], []
    for _ in range(30):
        number = 0
        sentence = []
        while number < 6:
            kind = draw.choice(["word", "word", "range", "node"])
            form, upos = draw.choice(["_", "x", "الـ"]), draw.choice(["_", "NOUN", "X"])
            number += kind == "word"
            made = {"word": f"{number}", "range": f"{number + 1}-{number + 3}", "node": "1.1"}
            lines.append(word(made[kind], form, upos))
            sentence.append({"form": form, "upos": upos})
        lines.append("")
        sentences.append(sentence)
    path.write_text("\n".join(lines), encoding="utf-8")
    kept = [
        official_pos.get_xtreme_pos_example(sentence, 0, ("tokens", "upos"))
        for sentence in sentences
    ]
    reading = Reading()
    assert list(udpos.conllu_rows(path, reading)) == [row for row in kept if row["tokens"]]
    assert sum(reading.left_out.values()) == sum(1 for row in kept if not row["tokens"])


def test_real_panx(shared: Path) -> None:
    for code, count in {"ar": 10_000, "hi": 1000, "sw": 1000}.items():
        path = shared / "data" / "panx" / f"dev-{code}.tsv"
        rows = list(panx.rows(path, code, Reading()))
        assert len(rows) == count
        expected = [row for _, row in Wikiann._generate_examples(None, path)]
        for row, official in zip(rows, expected, strict=True):
            # The builder takes what stands before a colon for the language.
            if not any(":" in token for token in row["tokens"]):
                assert row["tags"] == official["tags"]
                assert len(row["spans"]) == len(official["spans"])


def test_original_archives_of_wikiann(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "original_formats"
    codes = sorted(path.stem.removeprefix("wikiann_") for path in folder.glob("wikiann_*.zip"))
    for code in codes:
        with zipfile.ZipFile(folder / f"wikiann_{code}.zip") as packed:
            packed.extractall(tmp_path / "source" / code)
    counts = importer.write(importer.plan(tmp_path / "source"), tmp_path / "out")
    splits = {"validation": 1, "test": 1, "train": 1}
    assert counts == {f"wikiann/{code}:1.0.0": splits for code in codes}
    assert len(codes) == 10


def test_real_supertags(shared: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ccg"
    folder.mkdir()
    real = shared / "data" / "ccg"
    (folder / "test.conll").symlink_to(real / "fracas_candc_silver.conll")
    counts = importer.write(importer.plan(tmp_path), tmp_path / "out")
    assert counts == {"ccgbank:1.0.0": {"test": 585}}
    rows = read(tmp_path / "out", "ccgbank:1.0.0", "test")
    lines = (real / "fracas_candc_silver.conll").read_text(encoding="utf-8").split("\n")
    columns = [line.split("\t") for line in lines if line]
    assert [token for row in rows for token in row["tokens"]] == [token for token, _, _ in columns]
    assert [tag for row in rows for tag in row["tags"]] == [tag for _, _, tag in columns]
    tags = json.loads((real / "ccgbank_425_supertags.json").read_text(encoding="utf-8"))
    assert len(tags) == 425
    for tag in tags:
        # The list writes parentheses around everything.
        assert ccg.flaw(tag.removeprefix("(").removesuffix(")")) is None, tag
