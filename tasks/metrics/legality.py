"""Predictions that no right answer could look like: rates in percent, of which 0 is best."""

import re
import unicodedata
from collections.abc import Collection, Sequence

from tasks import languages
from tasks.errors import DataError
from tasks.metrics import writing
from tasks.metrics.answers import AnswerMetric
from tasks.metrics.classification import Metric
from tasks.metrics.counts import percent
from tasks.postprocessors import Answers

_WHITE_SPACE = re.compile(r"\s+")


def illegal_label_rate(labels: Collection[str]) -> Metric:
    """The metric `illegal_label`: share of the predictions that are none of the labels."""
    if isinstance(labels, str) or not labels:
        raise DataError(f"expected the labels of a task, got {labels!r}")
    legal = frozenset(labels)

    def illegal_label(targets: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
        wrong = sum(p not in legal for _, p in zip(targets, predictions, strict=True))
        return {"illegal_label": percent(wrong, len(targets))}

    return illegal_label


def not_in_context(
    targets: Sequence[Answers], predictions: Sequence[str], *, legal: Collection[str] = ()
) -> dict[str, float]:
    """Share of the predicted answers that their context does not hold.

    An answer is held where its characters follow one another there, white space and case aside:
    tokenizers and mT5's padding of punctuation move spaces, and no evaluation minds case. The empty
    answer is not held.

    Args:
      targets: gold answers with their context, as `tasks.postprocessors.answers` gives them.
      predictions: one answer an example.
      legal: answers that need no context, such as 'unanswerable'.

    Raises:
      DataError: the gold answers come without their context.
    """
    wrong = 0
    for gold, prediction in zip(targets, predictions, strict=True):
        context = getattr(gold, "context", None)
        if context is None:
            raise DataError(
                "expected gold answers that carry their context, as the postprocessor "
                f"tasks.postprocessors.answers gives them, got {gold!r}"
            )
        answer = _squeezed(prediction)
        held = bool(answer) and answer in _squeezed(context)
        wrong += not held and prediction not in legal
    return {"not_in_context": percent(wrong, len(targets))}


def wrong_script_rate(language: str) -> AnswerMetric:
    """The metric `wrong_script`: share of the answers most of whose letters are foreign.

    Foreign are letters of no script in which `language` is written; digits, punctuation and marks
    count for nothing, and an answer without letters is never wrong. Nor is one whose gold answer is
    in a foreign script itself, as 'NATO' may be in Hindi. It shows accidental translation between
    scripts only: English in place of Swahili has the right letters.

    Targets may be single texts or collections of gold answers.

    Raises:
      DataError: the language is not in the table of languages.
    """
    scripts = frozenset(languages.scripts_of(language))

    def wrong_script(
        targets: Sequence[Sequence[str]], predictions: Sequence[str]
    ) -> dict[str, float]:
        wrong = 0
        for gold, prediction in zip(targets, predictions, strict=True):
            if not writing.is_written_in(prediction, scripts):
                answers = [gold] if isinstance(gold, str) else gold
                wrong += all(writing.is_written_in(answer, scripts) for answer in answers)
        return {"wrong_script": percent(wrong, len(targets))}

    return wrong_script


def _squeezed(text: str) -> str:
    """The text without white space and case, letter by letter.

    Lower case would not do: it writes a Greek sigma by what follows.
    """
    return _WHITE_SPACE.sub("", unicodedata.normalize("NFKC", text).casefold())
