"""What the noise leaves alone in the rows of each data set: keywords, answers, entities, tokens."""

import functools
import re
from pathlib import Path

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import formats, perturbations
from tasks.definitions import DATA_SETS
from tasks.definitions.dataset import EVAL
from tasks.errors import DataError
from tasks.perturbations import clauses, distractors, layouts, rows, sentences
from tasks.perturbations.rows import Noise

KINDS = [kind for kind in perturbations.NAMES if kind not in ("distractor", "clause")]

ANLI = ("anli", "anli_r1", "anli_r2", "anli_r3")
NLI = "premise: Wafanyakazi wawili hypothesis: walikuwa kazini leo."
# One input of every data set, made up, as the formats write it.
INPUTS = {
    "xnli": f"xnli: {NLI}",
    **dict.fromkeys((*ANLI, "mnli", "snli", "advglue_mnli", "advglue_mnli_mm"), f"nli: {NLI}"),
    "pawsx": "paws sentence1: 他先离开了。 sentence2: 她先离开了。",
    "qqp": "qqp question1: Where does rain come from? question2: Why does water fall?",
    "advglue_qqp": "qqp question1: Where does rain come from? question2: Why does water fall?",
    "panx": "tag: গতকাল রবি ঠাকুর ঢাকায় ছিলেন , তারপর চলে যান",
    "udpos": "pos: The cats slept , didn't they ?",
    "ccg": "ccg: Every child slept soundly .",
    "xcopa": "copa choice1: Mvua ilinyesha. choice2: Jua liliwaka. premise: Njia ililowa. "
    "question: cause",
    "hellaswag": "hellaswag: context: Cooking: Someone boils water. choice1: drinks tea "
    "choice2: eats wood choice3: leaves choice4: paints walls",
    "cosmosqa": "cosmosqa: context: They waited outside. question: Why were they waiting? "
    "choice1: for tickets choice2: for breakfast choice3: none choice4: friends",
    "csqa": "csqa: question: Where do books live? choice1: shelf choice2: river "
    "choice3: engine choice4: cloud choice5: sandal",
    "advglue_sst2": "sst2 sentence: a lovely little thing",
    "advglue_qnli": "qnli question: Where is Åbo? sentence: The town lies southward.",
    "advglue_rte": "rte sentence1: Everybody laughed. sentence2: Somebody laughed.",
    "tatoeba": "Kedinin uykusu vardı.",
    "bucc": "我们昨天去了北京。",
    "own": "review: the colour: lovely indeed",
}
# What the format writes there, in order; '' for a format that writes nothing.
KEYWORDS = {
    "xnli": "xnli: premise: | hypothesis: ",
    **dict.fromkeys(
        (*ANLI, "mnli", "snli", "advglue_mnli", "advglue_mnli_mm"), "nli: premise: | hypothesis: "
    ),
    "pawsx": "paws sentence1: | sentence2: ",
    **dict.fromkeys(("qqp", "advglue_qqp"), "qqp question1: | question2: "),
    "panx": "tag: ",
    "udpos": "pos: ",
    "ccg": "ccg: ",
    "xcopa": "copa choice1: | choice2: | premise: | question: cause",
    "hellaswag": "hellaswag: context: | choice1: | choice2: | choice3: | choice4: ",
    "cosmosqa": "cosmosqa: context: | question: | choice1: | choice2: | choice3: | choice4: ",
    "csqa": "csqa: question: | choice1: | choice2: | choice3: | choice4: | choice5: ",
    "advglue_sst2": "sst2 sentence: ",
    "advglue_qnli": "qnli question: | sentence: ",
    "advglue_rte": "rte sentence1: | sentence2: ",
    "tatoeba": "",
    "bucc": "",
    "own": "review: |colour: ",
}
QUESTIONS = ("tydiqa", "xquad", "mlqa", "mlqa_cross", "squad1", "squad2")
TARGETS = {"panx": "PER: রবি ঠাকুর $$ LOC: ঢাকায়"}


def noisy(data: str, kind: str, strength: int = 100, seed: int = 0, language: str = "en") -> str:
    noise = Noise(kind, strength, seed, data, language)
    return rows.text(noise, INPUTS[data], TARGETS.get(data, "0"))


def test_every_data_set_has_a_layout_and_an_input_here() -> None:
    assert sorted(layouts.LAYOUTS) == sorted([*INPUTS, *QUESTIONS])


def keywords(data: str, inputs: str) -> str:
    spans = layouts.keyword_spans(inputs, layouts.layout(data).keywords)
    return "|".join(inputs[start:end] for start, end in spans)


@pytest.mark.parametrize("data", INPUTS)
def test_keywords_stay_in_their_order_and_the_text_changes(data: str) -> None:
    assert keywords(data, INPUTS[data]) == KEYWORDS[data]
    for kind in perturbations.kinds_for(data):
        for seed in range(5):
            assert keywords(data, noisy(data, kind, seed=seed)) == KEYWORDS[data]
    changed = {kind for kind in perturbations.kinds_for(data) if noisy(data, kind) != INPUTS[data]}
    assert {"typos", "deletions", "swaps"} <= changed


def formatted(preprocessor, row: dict) -> dict:
    dataset = tf.data.Dataset.from_tensors(row)
    (found,) = preprocessor(dataset).as_numpy_iterator()
    return found


PAIR = {"text1": "a b", "text2": "c", "label": 0}
NLI_ROW = {"premise": "a b", "hypothesis": "c", "label": 0}
FOUR = ["a", "b", "c", "d"]
CHOICES = {"label": [*"ABCDE"], "text": [*"abcde"]}
# Our data set, the step that formats it, and a row as TFDS has it.
FORMATTED = [
    ("xnli", formats.nli, NLI_ROW),
    ("xnli", formats.nli, {"premise": "", "hypothesis": "", "label": 0}),
    ("mnli", formats.intermediate_nli, NLI_ROW),
    ("snli", formats.intermediate_nli, NLI_ROW),
    *((data, formats.anli, {"context": "a b", "hypothesis": "c", "label": 0}) for data in ANLI),
    ("pawsx", formats.paraphrase, {"sentence1": "a b", "sentence2": "c", "label": 0}),
    ("qqp", formats.qqp, {"question1": "a b", "question2": "c", "label": 0}),
    ("panx", formats.entities, {"tokens": FOUR, "spans": ["None"]}),
    ("udpos", formats.pos, {"tokens": FOUR, "upos": [1, 2, 3, 4]}),
    ("ccg", formats.supertags, {"tokens": FOUR, "tags": FOUR}),
    (
        "xcopa",
        formats.copa,
        {"choice1": "a", "choice2": "b", "premise": "c", "question": "cause", "label": 0},
    ),
    (
        "hellaswag",
        formats.hellaswag,
        {"activity_label": "Cooking", "context": "a b", "endings": FOUR, "label": 0},
    ),
    (
        "cosmosqa",
        formats.cosmosqa,
        {"context": "a", "question": "b", "label": 0, **{f"answer{n}": "c" for n in range(4)}},
    ),
    ("csqa", formats.csqa, {"question": "a", "choices": CHOICES, "answerKey": "A"}),
    *(
        (f"advglue_{ours}", functools.partial(formats.advglue, task=theirs), PAIR)
        for ours, theirs in (
            *(("sst2", "sst2"), ("qqp", "qqp"), ("mnli", "mnli"), ("mnli_mm", "mnli_mismatched")),
            *(("qnli", "qnli"), ("rte", "rte")),
        )
    ),
]


def test_every_data_set_that_is_evaluated_has_a_layout() -> None:
    evaluated = {name for name, one in DATA_SETS.items() if one.languages_of(EVAL)}
    assert evaluated <= layouts.LAYOUTS.keys()
    written = {data for data, _, _ in FORMATTED}
    assert written | {*QUESTIONS, "tatoeba", "bucc", "own"} == layouts.LAYOUTS.keys()


@pytest.mark.parametrize(("data", "preprocessor", "row"), FORMATTED)
def test_keywords_are_what_the_formats_write(data, preprocessor, row) -> None:
    (found,) = preprocessor(tf.data.Dataset.from_tensors(row)).as_numpy_iterator()
    inputs = found["inputs"].decode()
    assert keywords(data, inputs) == KEYWORDS[data]
    spans = layouts.keyword_spans(inputs, layouts.layout(data).keywords)
    assert spans[0][0] == 0


@pytest.mark.parametrize("kind", perturbations.kinds_for("panx"))
def test_entities_stay_tokens(kind: str) -> None:
    for seed in range(20):
        after = f"{noisy('panx', kind, seed=seed, language='bn')} "
        assert " রবি ঠাকুর " in after
        assert " ঢাকায় " in after


@given(st.lists(st.sampled_from("Ann Bob Ann's of a x रवि ढाका , .".split()), min_size=1))
def test_every_occurrence_of_an_entity_stays(tokens: list[str]) -> None:
    inputs = "tag: " + " ".join(tokens)
    for kind in perturbations.kinds_for("panx"):
        noise = Noise(kind, 100, 1, "panx", "en")
        after = rows.text(noise, inputs, "PER: Ann $$ LOC: रवि ढाका").split()
        assert after.count("Ann") >= tokens.count("Ann")
        pair = ["रवि", "ढाका"]
        before = sum(tokens[i : i + 2] == pair for i in range(len(tokens)))
        assert sum(after[i : i + 2] == pair for i in range(len(after))) >= before


@pytest.mark.parametrize("data", ["udpos", "ccg"])
def test_tagged_tokens_neither_come_nor_go_nor_move(data: str) -> None:
    assert set(perturbations.kinds_for(data)) == set(layouts.WITHIN_WORDS)
    before = INPUTS[data].split()
    for kind in perturbations.kinds_for(data):
        for seed in range(10):
            after = noisy(data, kind, seed=seed).split()
            assert len(after) == len(before)
            assert [token for token in after if len(token) == 1] == [
                token for token in before if len(token) == 1
            ]


@pytest.mark.parametrize("kind", KINDS)
@given(
    words=st.lists(st.sampled_from("Åbo on ( Turku ) etelässä , স্ত্রী ঢাকায় 我回来了".split())),
    answer=st.sampled_from(["Turku )", "etel", "স্ত্রী ঢাকায়", "回来", " ( Turku ) "]),
    seed=st.integers(0, 9),
)
@settings(max_examples=50)
def test_every_occurrence_of_every_answer_stays(kind, words, answer, seed) -> None:
    context = " ".join(words) + " "
    noise = Noise(kind, 100, seed, "tydiqa", "fi")
    _, after = rows.question(noise, "Missä?", context, ["Turku", answer])
    for gold in ("Turku", answer.strip()):
        assert after.count(gold) >= context.count(gold)


@pytest.mark.parametrize(
    ("question", "context"),
    [
        ("Who ran ? ", "Only Bob ran . "),
        (" ' Who ' ran ?", " ' Only ' Bob ."),
        ("", "Bob"),
        ("Who ? ", ""),
        ("谁 ？ ", " 《 他 》 。"),
    ],
)
def test_question_and_context_are_joined_as_the_format_does(question, context) -> None:
    joined = " ".join(["question:", question, "context:", context])
    assert rows.question_inputs(question, context) == re.sub(r"\s+", " ", joined)


@pytest.mark.parametrize("language", clauses.CLAUSES)
def test_clauses_stand_before_the_full_stop_of_the_hypothesis(language: str) -> None:
    clause = clauses.CLAUSES[language]
    for stop in ("", ".", "。", "।", "۔", " !"):
        after = clauses.append(f"xnli: premise: A. hypothesis: B{stop}", language)
        assert after == f"xnli: premise: A. hypothesis: B{clause}{stop}"


def test_the_strength_of_clauses_is_a_share_of_the_rows() -> None:
    texts = [f"nli: premise: A. hypothesis: B{n}." for n in range(2000)]
    hit: dict[int, set[str]] = {}
    for strength in (0, 10, 60, 100):
        noise = Noise("clause", strength, 0, "mnli", "en")
        hit[strength] = {text for text in texts if rows.text(noise, text, "0") != text}
        # Six standard deviations of the binomial.
        share = strength / 100
        assert abs(len(hit[strength]) - 2000 * share) <= 6 * (2000 * share * (1 - share)) ** 0.5
    assert hit[0] < hit[10] < hit[60] < hit[100] == set(texts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He ran 3 . 5 km . Then he slept .", ["He ran 3 . 5 km .", "Then he slept ."]),
        ("J . R . Smith came . Who ?", ["J . R . Smith came .", "Who ?"]),
        ("वह आया। वह गया।", ["वह आया।", "वह गया।"]),
        ("সে এল । সে গেল ।", ["সে এল ।", "সে গেল ।"]),
        ("他来了。她走了！是吗", ["他来了。", "她走了！", "是吗"]),
        ("彼は「来た。」と言った。", ["彼は「来た。」", "と言った。"]),
        ("هل جاء ؟ نعم .", ["هل جاء ؟", "نعم ."]),
        ("وہ آیا ۔ وہ گیا ۔", ["وہ آیا ۔", "وہ گیا ۔"]),
        ("เขามา " + "แล้ว" * 20 + " เธอไป", ["เขามา " + "แล้ว" * 20, "เธอไป"]),
        ("", []),
    ],
)
def test_sentences_end_where_their_language_ends_them(text: str, expected: list[str]) -> None:
    assert sentences.split(text) == expected


def test_terms_of_scripts_without_spaces_are_pairs() -> None:
    assert sentences.terms("他来北京 Ok") == {"他来", "来北", "北京", "ok"}


CONTEXTS = (
    "The river Aura flows through Turku. Ferries cross the wide river every day.",
    "The river Kemi is the longest river of Finland. It freezes in the long winter.",
    "Bakers in the village sell warm bread. Nobody there has seen a tram.",
)


def test_the_best_distractor_shares_the_rarest_words_and_no_answer() -> None:
    pool = distractors.Pool(CONTEXTS)
    best = pool.best("Which river flows through Turku?", CONTEXTS[0], ["Aura"])
    assert best == ["The river Kemi is the longest river of Finland."]
    # Neither the order of the contexts nor repeated ones matter.
    again = distractors.Pool(reversed(CONTEXTS * 2))
    assert again.best("Which river flows through Turku?", CONTEXTS[0], ["Aura"]) == best
    # 'in' is all that remains where the best sentence has the answer, whatever its case.
    others = pool.best("Which river is in Turku?", CONTEXTS[0], ["KEMI"])
    assert set(others) == {
        "It freezes in the long winter.",
        "Bakers in the village sell warm bread.",
    }


def test_distractors_end_the_context_and_leave_the_question() -> None:
    pool = distractors.Pool(CONTEXTS)
    for strength, expected in ((0, 0), (100, 60)):
        noise = Noise("distractor", strength, 0, "squad1", "en")
        found = 0
        for number in range(60):
            question = f"Which river flows through Turku number {number}?"
            asked, context = rows.question(noise, question, CONTEXTS[0], ["Aura"], pool)
            assert asked == question
            assert context.startswith(CONTEXTS[0])
            found += context != CONTEXTS[0]
        assert found == expected


def test_a_question_that_shares_no_word_gets_no_distractor() -> None:
    noise = Noise("distractor", 100, 0, "squad1", "en")
    pool = distractors.Pool(CONTEXTS)
    assert rows.question(noise, "Why?", "Because.", [], pool) == ("Why?", "Because.")


def test_the_guide_lists_every_kind() -> None:
    guide = Path(__file__).parents[2] / "docs" / "adversarial.md"
    listed = re.findall(r"^\| `([a-z]+)` \|", guide.read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == list(perturbations.NAMES)


def test_names_can_be_suffixes() -> None:
    assert all(re.fullmatch("[a-z]+", name) for name in perturbations.NAMES)
    assert len(set(perturbations.NAMES)) == len(perturbations.NAMES)


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        ("typo", "xnli", "no perturbation 'typo'; did you mean typos"),
        ("shuffle", "udpos", "'shuffle' does not fit udpos.*typos deletions swaps"),
        ("shuffle", "pawsx", "does not fit pawsx"),
        ("distractor", "xnli", "does not fit xnli"),
        ("clause", "qqp", "does not fit qqp"),
        ("typos", "panxx", "'panxx'; did you mean panx"),
    ],
)
def test_what_does_not_fit_is_refused(kind: str, data: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        perturbations.preprocessor(kind, 10, data=data, language="en")


@pytest.mark.parametrize("strength", [-1, 101, 0.5, True])
def test_strength_is_a_whole_percentage(strength) -> None:
    with pytest.raises(DataError, match="whole percentage from 0 to 100"):
        perturbations.preprocessor("typos", strength, data="xnli", language="en")


def test_a_language_without_a_clause_is_refused() -> None:
    with pytest.raises(DataError, match="no clause in the language 'fi'; there is one in ar bg"):
        perturbations.preprocessor("clause", 10, data="xnli", language="fi")
