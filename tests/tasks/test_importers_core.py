"""What all importers share: which files are claimed, what is left out, whole or not at all."""

import re
import tracemalloc
from pathlib import Path

import pytest

from scripts.main import main
from tasks import tfds_schemas
from tasks.errors import DataError
from tasks.importers import checked, nli, tydiqa
from tasks.importers import run as importer
from tasks.importers.base import Importer, Plan, Reading, prefer
from tests.tasks import benchmark_files as bf
from tests.tasks.importing import Files, import_all, make, snapshot

GOOD = {
    "panx/dev-bn.tsv": bf.PANX,
    "panx/train-bn.tsv": bf.PANX * 2,
    "xnli/dev-en.tsv": bf.XNLI_EN,
    "xnli/dev-hi.tsv": bf.XNLI_HI,
    "paws_x/dev-de.tsv": bf.PAWSX,
}


def braces(text: str) -> list[str]:
    """'{a,b}.c' is 'a.c' and 'b.c'."""
    match = re.search(r"\{([^{}]*)\}", text)
    if not match:
        return [text]
    return [
        whole
        for part in match[1].split(",")
        for whole in braces(text[: match.start()] + part + text[match.end() :])
    ]


SAID = [
    (importer_.name, path.strip())
    for importer_ in importer.IMPORTERS
    for line in importer_.layout
    for paths in braces(line.partition("  ")[0])
    for path in paths.split(", ")
]
LANGUAGE_OF = {"Tatoeba": "swh", "BUCC": "de", "PAWS-X": "de", "XQuAD": "hi"}


@pytest.mark.parametrize(("name", "path"), SAID, ids=[path for _, path in SAID])
def test_what_the_help_says_is_claimed_by_one_importer_in_any_folder(name: str, path: str) -> None:
    path = path.replace("LANGUAGE", LANGUAGE_OF.get(name, "hi")).replace("-L-", "-hi-")
    path = path.replace("-L.", "-hi.").replace("TREEBANK", "hdtb")
    path = path.replace("tfrecord-*", "tfrecord-00000-of-00001").replace("*", "")
    for relative in (path, f"downloads/{path}", f"a b/c.d/{path}"):
        claims = [i.name for i in importer.IMPORTERS if i.claim(Path(relative), relative)]
        assert claims == [name]
    glued = str(Path(path).with_name(f"my-{Path(path).name}"))
    assert not any(i.claim(Path(glued), glued) for i in importer.IMPORTERS)


def test_every_importer_has_a_name_of_its_own_and_says_what_it_reads() -> None:
    names = [importer_.name for importer_ in importer.IMPORTERS]
    assert len(set(names)) == len(names)
    assert all(importer_.layout for importer_ in importer.IMPORTERS)


def test_the_source_folder_may_be_the_data_sets_own(tmp_path: Path) -> None:
    make(tmp_path, GOOD)
    assert importer.plan(tmp_path / "panx").datasets.keys() == {"wikiann/bn:1.0.0"}


def test_links_are_followed_once_and_hidden_files_passed_over(tmp_path: Path) -> None:
    make(tmp_path / "far", {"panx/dev-bn.tsv": bf.PANX})
    source = make(
        tmp_path / "source",
        {".cache/panx/dev-bn.tsv": "x", "__MACOSX/panx/._dev-bn.tsv": "x", "panx/.DS_Store": "x"},
    )
    (source / "linked").symlink_to(tmp_path / "far")
    (source / "linked" / "panx" / "again").symlink_to(tmp_path / "far")
    planned = importer.plan(source)
    assert planned.files == [source / "linked/panx/dev-bn.tsv"]
    assert planned.left_out == {}


def test_what_is_missing_or_not_read_is_told_with_the_reason(tmp_path: Path) -> None:
    others: Files = {
        "panx/LICENSE": "free",
        "more/panx_dataset.tar.gz": b"\x1f\x8b",
        "XNLI-1.0.zip": b"PK",
    }
    planned = importer.plan(make(tmp_path, {**GOOD, **others}))
    assert planned.left_out == {
        tmp_path / "panx/LICENSE": importer.UNKNOWN,
        tmp_path / "XNLI-1.0.zip": "it is packed; unpack it first",
        tmp_path / "more/panx_dataset.tar.gz": "it is packed; unpack it first",
    }
    assert "wikiann: no file for test" in planned.missing
    assert "xnli:1.1.0: no file for test" in planned.missing
    assert any("not trained on in English" in sentence for sentence in planned.missing)
    sizes = [(tmp_path / name).stat().st_size for name in GOOD]
    assert planned.num_bytes == sum(sizes)


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        ({}, "nothing to import"),
        ({"other/dev-en.tsv": "x"}, r"expected files such as panx/train-en.tsv or XNLI-1.0/"),
        ({"a.txt": "x", "b/XNLI-1.0.zip": "x"}, r"b/XNLI-1.0.zip: it is packed; unpack it first"),
        ({"paws_x/dev-sw.tsv": bf.PAWSX}, "'sw' is not a language of this data set; it has de en"),
        ({"panx/dev-xx.tsv": bf.PANX}, "'xx' is not a language of this data set"),
        ({"xcopa/val.de.jsonl": "x"}, "'de' is not a language of this data set"),
    ],
)
def test_folders_with_nothing_to_import(contents, reason, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=reason):
        importer.plan(make(tmp_path, contents))


@pytest.mark.parametrize(
    ("first", "second", "what"),
    [
        ("a/multinli_1.0_train.jsonl", "b/multinli_1.0_train.jsonl", "the split 'train' of multi"),
        ("MNLI/train.tsv", "multinli_1.0_train.txt", "the split 'train' of multi_nli:1.1.0"),
        ("MNLI/dev_matched.tsv", "mnli/validation_matched.tsv", "'validation_matched' of multi"),
        ("mnli/validation_matched.1.tsv", "mnli/validation_matched.2.tsv", "'validation_matched'"),
        ("xnli/dev-hi.tsv", "old/xnli/dev-hi.tsv", "the split 'validation' of XNLI in 'hi'"),
        ("XNLI-1.0/xnli.dev.tsv", "xnli/dev-hi.tsv", "the split 'validation' of xnli:1.1.0"),
        ("multinli.train.hi.tsv", "xnli/train-hi.tsv", "the split 'train' of xtreme_xnli:1.1.0"),
        ("R1/dev.jsonl", "anli/r1-dev.jsonl", "the split 'validation' of anli/r1:0.1.0"),
        ("QQP/dev.tsv", "qqp/dev.tsv", "the split 'validation' of glue/qqp:2.0.0"),
        ("paws_x/dev-de.tsv", "x-final/de/dev_2k.tsv", "the split 'validation' of PAWS-X in 'de'"),
        ("hellaswag_val.jsonl", "hellaswag/validation.jsonl", "'validation' of hellaswag:1.1.0"),
        ("cosmos/valid.csv", "cosmos2/valid.csv", "the split 'validation' of cosmos_qa:1.0.0"),
        ("dev_rand_split.jsonl", "a/dev_rand_split.jsonl", "'validation' of commonsense_qa"),
        ("xcopa/val-en.jsonl", "COPA/val.jsonl", "the split 'validation' of xcopa/en:1.0.0"),
        ("a/val.sw.jsonl", "b/val.sw.jsonl", "the split 'validation' of XCOPA in 'sw'"),
        ("advglue/dev.json", "advglue/old/dev.json", "AdvGLUE's dev set"),
        ("panx/dev-sw.tsv", "b/panx/dev-sw.tsv", "the split 'validation' of wikiann in 'sw'"),
    ],
)
def test_two_files_of_one_split_are_both_named(first, second, what, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        importer.plan(make(tmp_path, {first: "x", second: "x"}))
    message = str(error.value)
    assert str(tmp_path / first) in message
    assert str(tmp_path / second) in message
    assert what in message
    assert message.endswith("give only one of them")


def test_a_file_that_two_importers_claim_is_not_guessed_at(tmp_path: Path, monkeypatch) -> None:
    other = Importer("Others", (r"dev-bn\.tsv",), ("dev-bn.tsv  x",), lambda matches, plan: None)
    monkeypatch.setattr(importer, "IMPORTERS", (*importer.IMPORTERS, other))
    with pytest.raises(DataError, match=r"panx/dev-bn\.tsv may be of PANX and Others"):
        importer.plan(make(tmp_path, GOOD))


def test_the_preferred_form_is_kept_within_a_folder_alone(tmp_path: Path) -> None:
    files = [Path(name) for name in ("a/x.txt", "a/x.jsonl", "b/x.txt")]
    importer_ = Importer("X", (r"x\.jsonl", r"x\.txt"), (), lambda matches, plan: None)
    matches = [importer_.claim(path, path.as_posix()) for path in files]
    plan = Plan()
    kept = prefer([match for match in matches if match], plan, lambda match: match.path.stem)
    assert [match.path for match in kept] == files[1:]
    assert list(plan.left_out) == files[:1]


def test_an_import_that_fails_leaves_the_last_one_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "out"
    import_all(tmp_path, GOOD)
    before = snapshot(out)
    assert not [path for path in before if "incomplete" in path]
    with pytest.raises(DataError):
        import_all(tmp_path, {"paws_x/dev-de.tsv": bf.PAWSX + "9\n"})
    assert snapshot(out) == before
    # The same files give the same bytes.
    import_all(tmp_path, GOOD)
    assert snapshot(out) == before


def test_an_import_that_fails_makes_no_folder_at_all(tmp_path: Path) -> None:
    source = make(tmp_path / "source", {"paws_x/dev-de.tsv": bf.PAWSX + "9\n"})
    with pytest.raises(DataError):
        importer.write(importer.plan(source), tmp_path / "runs" / "new" / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_an_import_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    class Interrupt(Reading):
        def __call__(self, num_bytes: int) -> None:
            raise KeyboardInterrupt

    planned = importer.plan(make(tmp_path / "source", GOOD))
    (tmp_path / "out").mkdir()
    with pytest.raises(KeyboardInterrupt):
        importer.write(planned, tmp_path / "out", Interrupt())
    assert not list((tmp_path / "out").iterdir())


def test_a_split_that_is_stored_is_not_lost_to_an_import_without_it(tmp_path: Path) -> None:
    import_all(tmp_path, GOOD)
    before = snapshot(tmp_path / "out")
    source = make(tmp_path / "other", {"panx/dev-bn.tsv": bf.PANX})
    with pytest.raises(DataError, match=r"wikiann/bn:1.0.0 in .* has the splits train, which"):
        importer.write(importer.plan(source), tmp_path / "out")
    assert snapshot(tmp_path / "out") == before
    source = make(tmp_path / "third", {"panx/dev-hi.tsv": bf.PANX})
    assert importer.write(importer.plan(source), tmp_path / "out") == {
        "wikiann/hi:1.0.0": {"validation": 2}
    }


def test_progress_counts_every_byte(tmp_path: Path) -> None:
    seen: list[int] = []
    planned = importer.plan(make(tmp_path / "source", {**GOOD, "hellaswag_val.jsonl": HELLASWAG}))
    importer.write(planned, tmp_path / "out", Reading(seen.append))
    assert sum(seen) == planned.num_bytes
    assert len(seen) > len(GOOD)


HELLASWAG = bf.jsonl(bf.HELLASWAG) * 2500


def test_lines_are_read_as_a_stream(tmp_path: Path) -> None:
    path = make(tmp_path, {"x": "a line of text\n" * 50_000}) / "x"
    tracemalloc.start()
    count = sum(1 for _ in checked.lines(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 50_000
    assert peak < path.stat().st_size / 10


def test_every_data_set_that_the_importers_name_has_a_schema() -> None:
    for name in (nli.MULTI_NLI, nli.SNLI, tydiqa.NAME):
        tfds_schemas.parse(name)


def test_the_help_shows_what_every_importer_reads(capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["import-data", "--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    for importer_ in importer.IMPORTERS:
        assert f"  {importer_.name}\n" in printed
        for line in importer_.layout:
            assert line.partition("  ")[0] in printed
            assert line.partition("  ")[2].strip() in printed
    assert max(len(line) for line in printed.splitlines()) <= 100


def test_the_command_tells_what_was_imported_and_what_was_not(tmp_path, capsys) -> None:
    more = {f"notes/{n}.txt": "x" for n in range(12)}
    source = make(tmp_path / "s", {**GOOD, **more, "multinli_1.0_train.jsonl": bf.MULTINLI})
    out = tmp_path / "out"
    assert main(["import-data", str(source), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "wikiann/bn:1.0.0      validation 2, train 3\n" in printed
    assert "wikiann: no file for test" in printed
    assert f"  1 of {source / 'multinli_1.0_train.jsonl'}: {nli.NO_AGREEMENT}\n" in printed
    assert f"files left out: {importer.UNKNOWN}\n  {source / 'notes/0.txt'}\n" in printed
    assert "  and 2 more\n" in printed
    assert f"export TFDS_DATA_DIR={out}" in printed


def test_the_command_ends_in_one_sentence(tmp_path, capsys) -> None:
    source = make(tmp_path, {"panx/dev-bn.tsv": "Ada\tI-PER\n"})
    assert main(["import-data", str(source), "--out", str(tmp_path / "out")]) == 2
    assert "mt5x: error: " in capsys.readouterr().err
    assert main(["import-data", str(tmp_path / "nowhere"), "--out", "x"]) == 2
    assert "there is no folder" in capsys.readouterr().err
