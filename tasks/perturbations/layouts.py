"""What the formats write around a data set's own text, and which kinds of noise fit the data set.

The keywords are those of `tasks.formats`; they are found in `inputs` and kept as they are.
"""

import dataclasses
import re

from tasks.errors import DataError, nearest

# Within words: the number and the order of the words stay.
WITHIN_WORDS = ("typos", "deletions", "swaps", "undiacritics", "homoglyphs")
# Across words. Shuffled words are another sentence, which PAWS-X is about.
ACROSS_WORDS = ("spacing", "punctuation", "shuffle")
DISTRACTOR = "distractor"
CLAUSE = "clause"

NAMES = (*WITHIN_WORDS, *ACROSS_WORDS, DISTRACTOR, CLAUSE)


@dataclasses.dataclass(frozen=True)
class Layout:
    """The form of a data set's rows.

    Attributes:
      keywords: a regular expression of what the format writes into `inputs`.
      kinds: the kinds of noise that leave the targets right.
      rows: 'text' (inputs, targets), 'questions' (question, context, answers, too), 'entities'
        (targets 'PER: rick $$ LOC: x'), or 'retrieval' (id and side, too).
      spaced: whether punctuation marks stand between spaces, as tokens do.
    """

    keywords: str = r"(?!)"
    kinds: tuple[str, ...] = (*WITHIN_WORDS, *ACROSS_WORDS)
    rows: str = "text"
    spaced: bool = False


def _layout(*keywords: str, **settings) -> Layout:
    """A layout whose first keyword opens the text."""
    first, *others = keywords
    return Layout("|".join([f"^{first} ", *(f" {other} " for other in others)]), **settings)


def _choices(count: int) -> list[str]:
    return [f"choice{n}:" for n in range(1, count + 1)]


_NLI_KINDS = (*WITHIN_WORDS, *ACROSS_WORDS, CLAUSE)
_NLI = _layout("nli: premise:", "hypothesis:", kinds=_NLI_KINDS)
_QQP = _layout("qqp question1:", "question2:")
_QUESTIONS = Layout(kinds=(*WITHIN_WORDS, *ACROSS_WORDS, DISTRACTOR), rows="questions", spaced=True)

LAYOUTS: dict[str, Layout] = {
    "xnli": _layout("xnli: premise:", "hypothesis:", kinds=_NLI_KINDS),
    "mnli": _NLI,
    "snli": _NLI,
    **dict.fromkeys(("anli", "anli_r1", "anli_r2", "anli_r3"), _NLI),
    "pawsx": _layout(
        "paws sentence1:", "sentence2:", kinds=(*WITHIN_WORDS, "spacing", "punctuation")
    ),
    "qqp": _QQP,
    **dict.fromkeys(("tydiqa", "xquad", "mlqa", "mlqa_cross", "squad1", "squad2"), _QUESTIONS),
    "panx": _layout("tag:", rows="entities", spaced=True),
    # One tag a token: no token may come, go or move.
    "udpos": _layout("pos:", kinds=WITHIN_WORDS, spaced=True),
    "ccg": _layout("ccg:", kinds=WITHIN_WORDS, spaced=True),
    # What is asked for, cause or effect, is the format's word, too.
    "xcopa": Layout("^copa choice1: | choice2: | premise: | question: (?:cause|effect)$"),
    "hellaswag": _layout("hellaswag: context:", *_choices(4)),
    "cosmosqa": _layout("cosmosqa: context:", "question:", *_choices(4)),
    "csqa": _layout("csqa: question:", *_choices(5)),
    "advglue_sst2": _layout("sst2 sentence:"),
    "advglue_qqp": _QQP,
    "advglue_mnli": _NLI,
    "advglue_mnli_mm": _NLI,
    "advglue_qnli": _layout("qnli question:", "sentence:"),
    "advglue_rte": _layout("rte sentence1:", "sentence2:", kinds=_NLI_KINDS),
    "tatoeba": Layout(rows="retrieval"),
    "bucc": Layout(rows="retrieval"),
    # A task of the user's own: every word that ends in a colon is taken for a keyword.
    "own": Layout(r"(?<!\S)[\w.]+:(?!\S)\s*"),
}


def layout(data: str) -> Layout:
    """Returns the layout of a data set.

    Raises:
      DataError: no such data set.
    """
    if data not in LAYOUTS:
        raise DataError(
            f"no perturbations are known for the data set '{data}'{nearest(data, LAYOUTS)}; a "
            f"task of your own is 'own'"
        )
    return LAYOUTS[data]


def kinds_for(data: str) -> tuple[str, ...]:
    """Returns the kinds of noise that fit a data set ('own': a task of the user's own)."""
    return layout(data).kinds


def check(kind: str, data: str) -> None:
    """Raises a DataError unless `kind` is a kind of noise that fits `data`."""
    fitting = kinds_for(data)
    if kind not in NAMES:
        raise DataError(
            f"there is no perturbation '{kind}'{nearest(kind, NAMES)}; there are {' '.join(NAMES)}"
        )
    if kind not in fitting:
        raise DataError(
            f"the perturbation '{kind}' does not fit {data}, whose rows it has nothing to do in or "
            f"whose targets it could make wrong; {' '.join(fitting)} do"
        )


def keyword_spans(inputs: str, keywords: str) -> list[tuple[int, int]]:
    """Returns where the format's keywords are in `inputs`, as (start, end) in characters.

    A keyword that the text itself holds, by chance, counts as one.
    """
    return [match.span() for match in re.finditer(keywords, inputs)]
