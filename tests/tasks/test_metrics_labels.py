"""F1 of labels and tags, against sums told plainly, scikit-learn and seqeval where they are."""

import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import metrics
from tasks.errors import DataError

LABELS = ("0", "1", "2")
# A model may write anything.
PREDICTED = st.sampled_from([*LABELS, "", "3", "entailment", "٢", "२"])
PAIRS = st.lists(st.tuples(st.sampled_from(LABELS), PREDICTED), max_size=40)
# Without CCONJ, X and _: seqeval 1.x drops the first letter of a tag, and so takes the first for
# SCONJ and the others for nothing.
UPOS = "ADJ ADP ADV AUX DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB".split()
SENTENCES = st.lists(
    st.lists(st.tuples(st.sampled_from(UPOS), st.sampled_from(UPOS)), min_size=1, max_size=12),
    min_size=1,
    max_size=8,
)


def split(pairs):
    return [gold for gold, _ in pairs], [predicted for _, predicted in pairs]


def naive_f1(pairs, label) -> float:
    """From the four cells of the table."""
    both = sum(g == label == p for g, p in pairs)
    only_claimed = sum(p == label != g for g, p in pairs)
    only_wanted = sum(g == label != p for g, p in pairs)
    if both == 0:
        return 0.0
    precision, recall = both / (both + only_claimed), both / (both + only_wanted)
    return 100 * 2 * precision * recall / (precision + recall)


@settings(max_examples=300)
@given(PAIRS)
def test_f1_of_labels_agrees_with_the_plainest_telling(pairs) -> None:
    expected = sum(naive_f1(pairs, label) for label in LABELS) / 3
    found = metrics.macro_f1(LABELS)(*split(pairs))
    assert found == {"macro_f1": pytest.approx(expected, abs=1e-9)}
    found = metrics.positive_f1("1")(*split(pairs))
    assert found == {"positive_f1": pytest.approx(naive_f1(pairs, "1"), abs=1e-9)}


@settings(max_examples=100)
@given(PAIRS.filter(bool))
def test_f1_of_labels_agrees_with_scikit_learn(pairs) -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    gold, predicted = split(pairs)
    macro = sklearn.f1_score(gold, predicted, labels=LABELS, average="macro", zero_division=0)
    one = sklearn.f1_score(gold, predicted, labels=["1"], average=None, zero_division=0)[0]
    assert metrics.macro_f1(LABELS)(gold, predicted)["macro_f1"] == pytest.approx(100 * macro)
    assert metrics.positive_f1("1")(gold, predicted)["positive_f1"] == pytest.approx(100 * one)


def test_f1_of_labels_by_hand() -> None:
    # '1': 1 right of 2 claimed and 1 wanted; '0': 1 of 1 and 2; '2' is never there.
    scores = metrics.macro_f1(LABELS)(["0", "0", "1"], ["0", "1", "1"])
    assert scores == {"macro_f1": pytest.approx((200 / 3 + 200 / 3 + 0) / 3)}
    assert metrics.positive_f1("2")(["0"], ["0"]) == {"positive_f1": 0.0}
    assert metrics.macro_f1(LABELS)([], []) == {"macro_f1": 0.0}
    assert metrics.per_label_f1(["a"], ["b"]) == {"a": 0.0, "b": 0.0}
    assert metrics.positive_f1("1")([], []) == {"positive_f1": 0.0}


@pytest.mark.parametrize("labels", ["entailment", [], ["a", "a"]])
def test_labels_that_are_none(labels) -> None:
    with pytest.raises(DataError, match="expected the different labels"):
        metrics.macro_f1(labels)


@pytest.mark.parametrize(
    ("gold", "predicted", "accuracy", "wrong_length"),
    [
        (["DET NOUN"], ["DET NOUN"], 100, 0),
        (["DET NOUN"], [" DET  NOUN\n"], 100, 0),
        # What is missing is wrong, what is too much is ignored; both are of a wrong length.
        (["DET NOUN VERB"], ["DET NOUN"], 200 / 3, 100),
        (["DET NOUN"], ["DET NOUN VERB"], 100, 100),
        (["DET NOUN VERB"], ["NOUN VERB"], 0, 100),
        (["DET", "NOUN NOUN NOUN"], ["", "NOUN NOUN NOUN"], 75, 50),
        # CCG's categories are tags as they stand.
        ([r"NP (S[dcl]\NP)/NP ."], [r"NP (S[b]\NP)/NP ."], 200 / 3, 0),
        (["", ""], ["", "NOUN"], 0, 50),
        ([], [], 0, 0),
    ],
)
def test_tags_by_hand(gold, predicted, accuracy, wrong_length) -> None:
    scores = metrics.tag_scores(gold, predicted)
    assert scores["tag_accuracy"] == pytest.approx(accuracy)
    assert scores["wrong_length"] == pytest.approx(wrong_length)


@settings(max_examples=200)
@given(SENTENCES, st.integers(0, 5), st.integers(0, 5))
def test_tags_agree_with_the_plainest_telling(sentences, missing, more) -> None:
    gold = [" ".join(g for g, _ in sentence) for sentence in sentences]
    written = [[p for _, p in sentence] for sentence in sentences]
    written[0] = written[0][: max(len(written[0]) - missing, 0)]
    written[-1] = written[-1] + ["NOUN"] * (more if len(written) > 1 else 0)
    pairs = [
        (tag, predicted[index] if index < len(predicted) else None)
        for tags, predicted in zip(gold, written, strict=True)
        for index, tag in enumerate(tags.split())
    ]
    known = {g for g, _ in pairs}
    assert metrics.tag_scores(gold, [" ".join(tags) for tags in written]) == {
        "tag_accuracy": pytest.approx(100 * sum(g == p for g, p in pairs) / len(pairs)),
        "tag_macro_f1": pytest.approx(sum(naive_f1(pairs, tag) for tag in known) / len(known)),
        "wrong_length": pytest.approx(
            100
            * sum(len(g.split()) != len(p) for g, p in zip(gold, written, strict=True))
            / len(gold)
        ),
    }


@pytest.mark.parametrize(
    ("gold", "predicted", "score"),
    [
        ("NOUN NOUN VERB", "NOUN NOUN VERB", 100),
        # Two nouns are one chunk; half of it is none. The verb is right: 1 of 2 wanted, 3 claimed.
        ("NOUN NOUN VERB", "NOUN ADJ VERB", 40),
        # Tags with S stand alone, as seqeval has it.
        ("SYM SYM", "SYM NOUN", 50),
        ("NOUN VERB", "NOUN", 200 / 3),
        ("NOUN", "NOUN VERB", 100),
        ("NOUN", "", 0),
        ("", "NOUN", 0),
    ],
)
def test_chunks_by_hand(gold, predicted, score) -> None:
    assert metrics.chunk_f1([gold], [predicted]) == {"chunk_f1": pytest.approx(score)}


def naive_set_f1(gold: list[set], found: list[set]) -> float:
    """By precision and recall over all sets."""
    both = sum(
        one in claimed for wanted, claimed in zip(gold, found, strict=True) for one in wanted
    )
    if not both:
        return 0.0
    precision, recall = both / sum(map(len, found)), both / sum(map(len, gold))
    return 100 * 2 * precision * recall / (precision + recall)


def naive_chunks(tags: list[str]) -> set[tuple[str, int, int]]:
    """Every stretch of one tag that cannot be made longer; of tags with S every token."""
    return {
        (tags[start], start, end)
        for start in range(len(tags))
        for end in range(start + 1, len(tags) + 1)
        if len(set(tags[start:end])) == 1
        and (
            end == start + 1
            if tags[start][0] == "S"
            else [tags[start]] not in (tags[max(start - 1, 0) : start], tags[end : end + 1])
        )
    }


@settings(max_examples=300)
@given(SENTENCES)
def test_chunks_agree_with_the_plainest_telling(sentences) -> None:
    gold = [[g for g, _ in sentence] for sentence in sentences]
    predicted = [[p for _, p in sentence] for sentence in sentences]
    expected = naive_set_f1(list(map(naive_chunks, gold)), list(map(naive_chunks, predicted)))
    joined = [" ".join(tags) for tags in gold], [" ".join(tags) for tags in predicted]
    assert metrics.chunk_f1(*joined)["chunk_f1"] == pytest.approx(expected, abs=1e-9)


@settings(max_examples=300)
@given(SENTENCES)
def test_chunks_agree_with_seqeval(sentences) -> None:
    seqeval = pytest.importorskip("seqeval.metrics", reason="seqeval is not installed")
    gold = [[g for g, _ in sentence] for sentence in sentences]
    predicted = [[p for _, p in sentence] for sentence in sentences]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # bare tags 'seem not to be NE tags'
        expected = 100 * seqeval.f1_score(gold, predicted)
    joined = [" ".join(tags) for tags in gold], [" ".join(tags) for tags in predicted]
    assert metrics.chunk_f1(*joined)["chunk_f1"] == pytest.approx(expected, abs=1e-9)


# Tokens of no sentence occur twice, so that texts of spans and their places say the same.
ENTITIES = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["O", "B-PER", "I-PER", "B-LOC"]),
            st.sampled_from(["O", "B-PER", "I-PER", "B-LOC"]),
        ),
        min_size=1,
        max_size=10,
    ),
    min_size=1,
    max_size=6,
)


def spans(tags: list[str]) -> str:
    """The target text of a sentence of the tokens 0, 1, 2 ..., read as IOB2 with its repairs."""
    parts: list[tuple[str, list[str]]] = []
    inside = ""
    for index, tag in enumerate(tags):
        kind = tag[2:]
        if tag.startswith("I-") and inside == kind:
            parts[-1][1].append(str(index))
        elif tag != "O":
            parts.append((kind, [str(index)]))
        inside = kind
    return " $$ ".join(f"{kind}: {' '.join(tokens)}" for kind, tokens in parts) or "None"


@settings(max_examples=300)
@given(ENTITIES)
def test_spans_agree_with_seqeval(sentences) -> None:
    seqeval = pytest.importorskip("seqeval.metrics", reason="seqeval is not installed")
    gold = [[g for g, _ in sentence] for sentence in sentences]
    predicted = [[p for _, p in sentence] for sentence in sentences]
    if all(tag == "O" for tags in gold + predicted for tag in tags):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an F1 that is not defined
        expected = 100 * seqeval.f1_score(gold, predicted)
    found = metrics.span_f1([spans(tags) for tags in gold], [spans(tags) for tags in predicted])
    assert found["span_f1"] == pytest.approx(expected, abs=1e-9)


# Tags and entities in any script, repeated, with colons and stray separators.
SPANS = st.lists(
    st.tuples(st.sampled_from(["PER", "LOC", ""]), st.sampled_from(["a", "b c", "ঢাকা", "x: y", ""])),
    max_size=4,
)


@settings(max_examples=300)
@given(st.lists(st.tuples(SPANS, SPANS), min_size=1, max_size=8))
def test_spans_agree_with_the_plainest_telling(pairs) -> None:
    right = 0
    for gold, found in pairs:
        left = list(gold)
        for one in found:
            if one in left:
                left.remove(one)
                right += 1
    wanted, claimed = sum(len(g) for g, _ in pairs), sum(len(p) for _, p in pairs)
    if wanted and claimed and right:
        precision, recall = right / claimed, right / wanted
        expected = 100 * 2 * precision * recall / (precision + recall)
    else:
        expected = 0.0 if wanted or claimed else 100.0

    def text(spans) -> str:
        return " $$ ".join(f"{tag}: {entity}" for tag, entity in spans) or "None"

    scores = metrics.span_f1([text(g) for g, _ in pairs], [text(p) for _, p in pairs])
    assert scores == {"span_f1": pytest.approx(expected, abs=1e-9)}
