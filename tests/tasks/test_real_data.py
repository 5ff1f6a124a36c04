"""Real rows through the real import, as texts that a person has read beside the original files.

The rows of ../shared may not be copied here, so a text that was read stands here as the first 16
hex digits of the SHA-256 of `inputs + "\\n" + targets` (UTF-8). Each was made so: the row was
printed by `tests.tasks.real_rows.rows` and `texts`, and beside it the row of the original file; the
format was compared with the one that `tasks.formats` documents, the label with the file's, Arabic
and Urdu for their logical order, Devanagari, Bengali, Tamil and Thai for whole syllables and marks;
then its digest was taken. Where one differs, the assertion shows the text as it is now: read it
again beside the file before its digest is changed.

A row is the task's, counted from 0. Of plain text it is a segment in the masks of seed 0, and its
text is what the ids say.

There is nothing for UD-POS among the samples: `ud_pud` holds sentences without their tags.
"""

import hashlib
from pathlib import Path

import pytest
import seqio

from tasks import catalogue, vocabulary
from tasks.definitions import DATA_SETS
from tasks.postprocessors import comparable
from tests.tasks import real_rows

# Task, split, row, digest.
SAMPLES = """
xnli_eval.ar               validation    1 3fa7980e770e07d0
xnli_eval.ar               validation  120 f28574349d0c09a3
xnli_eval.hi               validation   40 bbb8c47af4615151
xnli_eval.hi               validation  200 e8b820bbd46d412d
xnli_eval.ur               validation   17 0f757d6f96342c6a
xnli_eval.th               validation   33 e71d2d124899eb19
xnli_eval.sw               validation  251 9dab59a5797209e6
pawsx_eval.ja              validation    5 298a0a38448f7b8a
pawsx_eval.ja              validation   77 9944e1faa15e4d42
pawsx_eval.zh              validation    8 1093b7cf151165d7
pawsx_eval.ko              validation   50 33b3363f9e8ebd02
pawsx_eval.de              validation   31 f8d51c17c89ed009
panx_eval.ar               validation    7 e59d68eb316b1e6e
panx_eval.ar               validation  150 7323dc9a31e593a6
panx_eval.bn               validation   11 466b550123d09087
panx_eval.bn               validation   90 c2eeeaeab4774e4b
panx_eval.hi               validation   22 03a8cc68690420b8
panx_eval.sw               validation    5 944822b74f5a0c64
panx_train.ar              train        40 f5fa21369f9e1040
panx_train.hi              train        33 c19ba67f6598af4e
panx_train.en              train         0 3c6c3d3be49c2755
tydiqa_train.sw            train         9 a139a1e3653ac54b
tydiqa_train.en            train        11 6d9e557ad4ba05ee
tydiqa_eval.bn             validation    4 5b3e49a5c4c84b32
tydiqa_eval.bn             validation   60 f70d88df547cd875
tydiqa_eval.ar             validation   25 96a3f15e51373463
tydiqa_eval.ar             validation  130 21f4e4d3c75e8983
tydiqa_eval.ru             validation   10 3ae19d9adf280cf5
xquad_eval.ar              test         12 440dffc3457062a3
xquad_eval.ar              test        140 c12e043b8ba32184
xquad_eval.hi              test         12 bb79a7defb8aba29
xquad_eval.hi              test         99 ed180760b9b1fbf1
xquad_eval.ru              test         30 a4fc8da2f15b10a2
mlqa_eval.ar               validation    3 55ad949de8821ee5
mlqa_eval.ar               validation   50 42f0ded7e26f9f3e
mlqa_eval.hi               validation   21 2731bd8ce144548c
mlqa_eval.hi               validation   90 81b952892f83a951
mlqa_eval.zh               validation   40 4b23781bafdd1f4e
mlqa_eval.de               validation    9 2f2a848c55c9ef2d
squad1_eval.en             validation   20 e4a6e110e631e713
squad1_eval.en             validation    9 28d052191a2fc271
squad2_eval.en             validation   20 02c1c156810bd687
squad2_eval.en             validation    9 511f428496a4a05b
mnli_eval.en               validation  100 e4dd9625ae1aa6fe
mnli_eval.en               validation  201 7382602f3e86f3be
anli_r1_eval.en            validation    7 60693336c60b8077
anli_r1_eval.en            validation   88 d6803944540b0d74
anli_r2_eval.en            validation    7 8cae0060d3952053
anli_r2_eval.en            validation   88 d23ff3b9e1bb949d
qqp_eval.en                validation    4 eb0413e9c7ca26b5
qqp_eval.en                validation  200 755626065ef37d4f
hellaswag_eval.en          validation   10 6fbf4b0177ac8d3f
hellaswag_eval.en          validation  150 e8622cb9446eda6c
cosmosqa_eval.en           validation   25 c6cff08282691e56
cosmosqa_eval.en           validation  140 e29c5f4ab19f1f9a
csqa_eval.en               validation    3 be7a3f2d34aaf383
csqa_eval.en               validation  101 fc765a33d2a08327
csqa_train.en              train        12 86ddb6b6a808699e
csqa_train.en              train       250 99e752d56c347150
ccg_eval.en                validation    5 b6e3516bf36349f4
ccg_eval.en                validation  200 00595d203aeb22b8
xcopa_train.en             train        17 1e9a982a86bb66fd
xcopa_train.en             train       200 70bcaf7905f311af
xcopa_eval.ta              validation   10 64a33350da456192
xcopa_eval.th              validation   20 813884756a3663b9
xcopa_eval.sw              validation   44 aff8577bcb62ac49
xcopa_eval.ta              test         33 a514f23b2dd6b5e4
xcopa_eval.th              test          0 77dcc0f5f98e107d
xcopa_eval.qu              test        150 4564e1792f4c54e0
xcopa_eval.zh              test         60 0f297c60c9120853
tatoeba_eval.ar            test         10 aaf8288e01282224
tatoeba_eval.ar            test         11 d2e05744ae13341f
tatoeba_eval.hi            test         20 a2fe64813b48cd5d
tatoeba_eval.hi            test         21 d6b220e36b565353
tatoeba_eval.bn            test         30 9c8ff5c0397f9247
tatoeba_eval.bn            test         31 95516b4119c3d276
tatoeba_eval.sw            test         40 cf181d88ff0618f5
tatoeba_eval.sw            test         41 7f8963793e104317
bucc_eval.zh               validation    3 67edd7703e5787ec
bucc_eval.zh               validation  400 97223f05b484420a
bucc_eval.zh               validation  700 18d3325a5f6f5872
bucc_eval.zh               validation 1050 aaa5afc3d020dae9
advglue_sst2_eval.en       validation    3 e9c88f76eb329eaa
advglue_sst2_eval.en       validation   50 226baf75b3815406
advglue_qqp_eval.en        validation    3 957be05e0bd64365
advglue_qqp_eval.en        validation   50 37da769001dd123a
advglue_mnli_eval.en       validation    3 ee1cdd47d8e6c930
advglue_mnli_eval.en       validation   50 db0768f97fe3ed23
advglue_mnli_mm_eval.en    validation    3 3c2f63272c55e591
advglue_mnli_mm_eval.en    validation   50 29cf4512eb983c0d
advglue_qnli_eval.en       validation    3 d0954807c8e485d5
advglue_qnli_eval.en       validation   50 f04c46f727451a03
advglue_rte_eval.en        validation    3 cb2efedbb57b618a
advglue_rte_eval.en        validation   50 e9abfdb9eefbe1f3
mc4_span_corruption.ar     validation    1 05d3efbeb2fd2c47
mc4_no_sentinels.ar        validation    1 9ce98eb049bedd6e
mc4_span_corruption.bn     validation    1 9b802d6d8a960df4
mc4_no_sentinels.bn        validation    1 55d7abaf75da87a8
mc4_span_corruption.hi     validation    1 32013a73ac91bbe3
mc4_no_sentinels.hi        validation    1 a09ae8f3f3684514
mc4_span_corruption.sw     validation    1 70948f06285f934f
mc4_no_sentinels.sw        validation    1 4682f8f53a23e0ef
mc4_span_corruption.ar     train         3 a95e2fd4903207ad
mc4_span_corruption.sw     train         5 a234b0a26241cc2d
"""

# The same of the archives of the original downloads: what no sample has.
ORIGINALS = """
anli_r3_train.en           train         0 fdd7012ca38d4ae7
anli_r3_eval.en            validation    0 2b021fc285297092
snli_train.en              train         0 b14e11a16d31afce
snli_eval.en               validation    0 10f06c6eaa27a5c7
mnli_train.en              train         0 f46723bdd7a530e9
xnli_train.ar              train         0 cc5b78666df99c00
xnli_train.hi              train         0 c70e71d15eff3a8d
xnli_train.ur              train         0 0004a4513be56605
xnli_eval.ar               test          0 2776e56118fa4bd3
xnli_eval.ur               test          0 f8baa5f7452beee2
pawsx_train.ja             train         0 9ffe5da9cb3d4fd7
pawsx_train.ko             train         0 82322de2cf06f03d
pawsx_eval.ja              test          0 7e6cca3dd95b3670
panx_eval.ar               test          0 3d8224e4c50f525b
panx_eval.hi               test          0 a4ad178a281c5560
tydiqa_train.fi            train         0 0a70f5baafc702f4
mlqa_cross_eval.en.ar      validation    0 d04cfb0adff5f5b0
qqp_train.en               train         0 07af4fed4aba15dc
squad2_train.en            train         0 b1c0de0cd36f3872
hellaswag_train.en         train         0 f48acc7e5a650f48
cosmosqa_train.en          train         0 4654581185466d4f
mc4_span_corruption.af     validation    0 d22aaa88be09068e
"""

# Of all targets and intermediate tasks, what there is no real row for.
ABSENT = {"udpos"}


def pins(table: str) -> list:
    fields = [line.split() for line in table.strip().splitlines()]
    return [
        pytest.param(task, split, int(row), digest, id=f"{task}-{split}-{row}")
        for task, split, row, digest in fields
    ]


def check(task: str, split: str, row: int, digest: str) -> None:
    inputs, targets = real_rows.texts(task, real_rows.rows(task, split)[row])
    text = f"{inputs}\n{targets}"
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == digest, f"now it reads:\n{text}"


@pytest.mark.parametrize(("task", "split", "row", "digest"), pins(SAMPLES))
def test_text_is_as_it_was_read(task, split, row, digest, shared: Path, monkeypatch) -> None:
    real_rows.use(shared, monkeypatch)
    check(task, split, row, digest)


@pytest.mark.parametrize(("task", "split", "row", "digest"), pins(ORIGINALS))
def test_text_of_the_originals_is_too(task, split, row, digest, shared: Path, monkeypatch) -> None:
    real_rows.use(shared, monkeypatch, originals=True)
    check(task, split, row, digest)


def test_every_data_set_is_among_them(shared: Path, monkeypatch) -> None:
    """A data set that has real rows is read above, in two languages where it has two."""
    pinned: dict[str, set[str]] = {}
    for line in (SAMPLES + ORIGINALS).split("\n"):
        if line:
            name = catalogue.parse(line.split()[0])
            pinned.setdefault(name.data, set()).add(name.language)
    assert set(DATA_SETS) - ABSENT <= set(pinned)
    real_rows.use(shared, monkeypatch)
    there: dict[str, set[str]] = {}
    for task in catalogue.names():
        if seqio.TaskRegistry.get(task).source.available_splits():
            name = catalogue.parse(task)
            there.setdefault(name.data, set()).add(name.language)
    assert not ABSENT & set(there)
    for data, languages in there.items():
        assert len(pinned[data]) >= min(2, len(languages)), data


def test_counts_are_those_of_the_files(shared: Path, monkeypatch) -> None:
    """What was cut has its first rows; what was not has all."""
    counts = real_rows.use(shared, monkeypatch)
    assert counts["xnli:1.1.0"] == {"validation": 300}
    assert counts["wikiann/bn:1.0.0"] == {"validation": 300, "train": 300}
    assert counts["tydi_qa/goldp:3.0.0"]["validation-bn"] == 113
    assert counts["tydi_qa/goldp:3.0.0"]["train"] == 600
    assert counts["squad/v2.0:3.0.0"]["validation"] == 626
    assert counts["squad/v1.1:3.0.0"]["validation"] == 293
    assert counts["ccgbank:1.0.0"] == {"validation": 585}
    assert counts["xcopa/ta:1.0.0"] == {"test": 500, "validation": 100}
    assert counts["tatoeba/tatoeba_sw:1.0.0"] == {"train": 390}
    assert counts["bucc/bucc_zh:1.0.0"] == {"validation": 257}
    assert counts["c4/multilingual:3.1.0"]["bn-validation"] == 95


def whole(row: real_rows.Row) -> list[int]:
    """The ids of a segment with what the targets say put back in place of each sentinel."""
    sentinels = set(vocabulary.sentinels(vocabulary.chosen()))
    hidden: dict[int, list[int]] = {}
    for one in row["targets"].tolist()[:-1]:
        if one in sentinels:
            hidden[one] = []
        else:
            hidden[next(reversed(hidden))].append(one)
    inputs = row["inputs"].tolist()[:-1]
    return [part for one in inputs for part in (hidden[one] if one in sentinels else [one])]


@pytest.mark.parametrize("language", ["ar", "bn", "hi", "sw"])
def test_plain_text_is_all_there(language: str, shared: Path, monkeypatch) -> None:
    """Spans put back, the segments are the text line by line; without sentinels, the same spans."""
    real_rows.use(shared, monkeypatch)
    content = (shared / "data/udhr" / f"{language}.txt").read_text(encoding="utf-8")
    lines = [line for line in content.split("\n") if line.strip()]
    encoded = [vocabulary.chosen().encode(line) for line in lines]
    assert [vocabulary.chosen().decode(ids) for ids in encoded] == [comparable(x) for x in lines]
    ids = [one for line in encoded for one in line]
    rows = real_rows.rows(catalogue.span_corruption(language), "validation")
    found = [one for row in rows for one in whole(row)]
    # A last segment of one piece is dropped.
    assert len(ids) - len(found) in (0, 1)
    assert found == ids[: len(found)]
    bare = real_rows.rows(catalogue.no_sentinels(language), "validation")
    sentinels = set(vocabulary.sentinels(vocabulary.chosen()))
    for row, other in zip(rows, bare, strict=True):
        assert other["inputs"].tolist() == row["inputs"].tolist()
        kept = [one for one in row["targets"].tolist() if one not in sentinels]
        assert other["targets"].tolist() == kept
