"""Files in the forms in which the benchmarks are distributed, with rows of our own."""

import json
from collections.abc import Mapping, Sequence
from typing import Any


def jsonl(*rows: Mapping[str, Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def tsv(*rows: Sequence[str]) -> str:
    return "".join("\t".join(row) + "\n" for row in rows)


def squad(identifier: str = "finnish-1-0", start: int = 4, **changes: object) -> str:
    """A SQuAD file of one question, each part on a line of its own."""
    question = {
        "id": identifier,
        "question": "Missä?",
        "answers": [{"text": "Åbo", "answer_start": start}],
        **changes,
    }
    paragraphs = [{"context": "sun Åbossa.", "qas": [question]}]
    return json.dumps({"data": [{"paragraphs": paragraphs}]}, indent=1, ensure_ascii=False)


PANX = "Ada\tB-PER\nmet\tO\nসুমন\tB-PER\nরায়\tI-PER\n\nকেউ\tO\n"
XNLI_HEADER = ("premise", "hypothesis", "label", "genre")
XNLI_EN = tsv(XNLI_HEADER, ("It rained.", "It was wet.", "entailment", "news"))
XNLI_HI = tsv(XNLI_HEADER, ("बारिश हुई।", "गीला था।", "entailment", "news"))
PAWSX = 'id\tsentence1\tsentence2\tlabel\n7\tEr "kam".\tSie kam.\t0\n8\ta\tb\t1\n'
MNLI = "index\tpremise\thypothesis\tlabel\n3\tA .\tB .\tneutral\n"

# XNLI-1.0 has all languages in one file, and more columns than are read.
_JOINED = ("language", "gold_label", "sentence1_parse", "sentence1", "sentence2", "pairID")
XNLI_JOINED = tsv(
    _JOINED,
    ("ar", "neutral", "", "هو نائم.", "هو متعب.", "1"),
    ("ar", "entailment", "", "ركض.", "تحرك.", "2"),
    ("sw", "neutral", "", "Amelala.", "Amechoka.", "1"),
    ("sw", "entailment", "", "Alikimbia.", "Alisonga.", "2"),
)
_ORIGINAL = ("gold_label", "sentence1_parse", "sentence1", "sentence2", "pairID")
_ANNOTATED = (*_ORIGINAL, "label1", "label2", "label3", "label4", "label5")


def nli_object(label: str, premise: str, hypothesis: str, **more: object) -> dict[str, object]:
    """A row of MultiNLI's or SNLI's .jsonl."""
    return {"gold_label": label, "sentence1": premise, "sentence2": hypothesis, **more}


MULTINLI = jsonl(
    nli_object("neutral", "Cows graze. ", 'They are "calm". ', pairID="1n"),
    nli_object("-", "It is late.", "Nobody agrees.", pairID="2n"),
    nli_object("contradiction", "She sang.", "She was silent.", pairID="3c"),
)
# Rows end before the columns of annotators that they lack.
SNLI_TXT = tsv(
    _ANNOTATED,
    ("entailment", "(ROOT)", "A dog runs.", "A dog moves.", "9e", "entailment"),
    ("-", "(ROOT)", "A boy eats.", "A boy eats fish.", "9n", "neutral", "contradiction"),
)
GLUE_MNLI = tsv(
    ("index", "promptID", "sentence1", "sentence2", "label1", "gold_label"),
    ("0", "31", "Hills rise.", "They are high. ", "neutral", "neutral"),
)


def anli_object(label: str = "e", uid: str = "a1") -> dict[str, object]:
    return {"uid": uid, "context": "Rome is old.", "hypothesis": "Rome is not new.", "label": label}


GLUE_QQP = tsv(
    ("id", "qid1", "qid2", "question1", "question2", "is_duplicate"),
    ("12", "1", "2", 'Is "soup" food?', "Is soup a food?", "1"),
    ("5", "3", "4", "How far?", "How near?", "0"),
)
PARTITION_QQP = tsv(("1", "Who?", "Who is it?", "77"), ("0", "Where?", "When?", "80"))


def advglue_document(**changes: object) -> dict[str, Any]:
    return {
        "sst2": [{"idx": 0, "sentence": "a joy .", "label": 1}],
        "qqp": [{"idx": 0, "question1": "Who?", "question2": "Whom?", "label": 0}],
        "mnli": [{"idx": 4, "premise": "It is.", "hypothesis": "It is not.", "label": 2}],
        "mnli-mm": [{"idx": 5, "premise": "So.", "hypothesis": "Thus.", "label": 0}],
        "qnli": [{"idx": 6, "question": "When?", "sentence": "In May.", "label": 0}],
        "rte": [{"idx": 7, "sentence1": "A is B.", "sentence2": "B is A.", "label": 1}],
        **changes,
    }


def advglue(**changes: object) -> str:
    """AdvGLUE's file, every part on a line of its own."""
    return json.dumps(advglue_document(**changes), indent=1)


ENDINGS = ["falls.", "sings.", "flies.", "sleeps."]
HELLASWAG = {
    "ind": 4,
    "activity_label": "Roofing",
    "ctx_a": "A man climbs.",
    "ctx_b": "he",
    "ctx": "A man climbs. he",
    "split_type": "indomain",
    "label": 3,
    "endings": ENDINGS,
    "source_id": "activitynet~v_1",
}
COSMOS = (
    "id,context,question,answer0,answer1,answer2,answer3,label\n"
    'k##1,"He said ""no"" , and\nleft .",Why ?,a,b,None of the above choices .,d,2\n'
)
COSMOS_TEST = {
    "id": "k##2",
    "context": "c",
    "question": "q",
    **{f"answer{number}": f"a{number}" for number in range(4)},
}
LETTERS = ["A", "B", "C", "D", "E"]
OPTIONS = ["bank", "library", "mall", "barn", "new york"]
CSQA_FLAT = {
    "id": "f1",
    "question": "Where are doors?",
    "question_concept": "door",
    "choices": {"label": LETTERS, "text": OPTIONS},
    "answerKey": "B",
}
CSQA_NESTED = {
    "id": "n1",
    "question": {
        "stem": "Where are cows?",
        "question_concept": "cow",
        "choices": [
            {"label": label, "text": text} for label, text in zip(LETTERS, OPTIONS, strict=True)
        ],
    },
    "answerKey": "D",
}
ECQA = "Where are keys?\\nOptions:\\n- bank\\n- mall\\n- barn\\n- car\\n- lock\tlock\tKeys fit.\n"
COPA = {
    "premise": "Mtoto alilia.",
    "choice1": "Alianguka.",
    "choice2": "Alicheka.",
    "question": "cause",
    "label": 0,
    "idx": 0,
}
