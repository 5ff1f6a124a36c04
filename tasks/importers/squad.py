"""SQuAD's JSON, the form of all question answering here, and SQuAD 1.1 and 2.0 themselves.

    {"data": [{"title": "Sumo", "paragraphs": [{"context": "Sumo is wrestling.", "qas": [
      {"id": "7", "question": "What is sumo?",
       "answers": [{"text": "wrestling", "answer_start": 8}]}]}]}]}

`answer_start` counts the code points of the context from 0. SQuAD 2.0 adds `is_impossible` and,
where that is true, `plausible_answers` instead of answers. Rows are as TFDS's builders make them
(`qa_utils.generate_squadlike_examples`), but an answer must stand where the file says.

Machine translations are known to have lost some of their answers: `translated_rows` leaves such
rows out and counts them, as everybody must who trains on those files; `rows` refuses them.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tasks.importers import json_nodes
from tasks.importers.base import Importer, Match, Plan, Reading
from tasks.importers.json_nodes import Node

V1, V2 = "squad/v1.1:3.0.0", "squad/v2.0:3.0.0"

# Why rows are left out.
LOST = "its answer is not in the translated context at answer_start"
UNASKED = "the translated question is empty"
UNANSWERABLE = "the question has no answer, as SQuAD 1.1 has none of"


class Ids:
    """Sees to it that no id comes twice in the files of a split; lines are found when needed."""

    def __init__(self) -> None:
        self._seen: dict[str, Node] = {}

    def add(self, question: Node) -> str:
        """Returns the id of a question; raises DataError where it was seen before."""
        identifier = question.filled("id")
        earlier = self._seen.setdefault(identifier, question)
        if earlier is not question:
            where = (
                f"line {earlier.member('id').line}"
                if earlier.path == question.path
                else earlier.path.name
            )
            question.member("id").fail(f"the id '{identifier}' was used before, in {where}")
        return identifier


def rows(
    path: Path, reading: Reading, ids: Ids | None = None, prefix: str = ""
) -> Iterator[dict[str, Any]]:
    """Yields the questions of a file in its order; every one has an answer.

    Args:
      path: the JSON file.
      reading: told of bytes read.
      ids: the ids of the split so far, where it is made of several files.
      prefix: what every id begins with.

    Raises:
      DataError: not JSON, a member that is absent or empty or of another type, an answer that is
        not in its context at answer_start, a question without an answer, an id that comes twice
        or does not begin with the prefix.
    """
    ids = Ids() if ids is None else ids
    for asked in _questions(path, reading):
        row = _row(asked, ids)
        if not row["id"].startswith(prefix):
            asked.question.member("id").fail(f"the id does not begin with '{prefix}'")
        if not row["answers"]["text"]:
            asked.question.fail("the question has no answer")
        yield row


def translated_rows(path: Path, reading: Reading) -> Iterator[dict[str, Any]]:
    """Yields the questions of a machine-translated file whose answers survived.

    XTREME gives some questions once for each of their answers; they are put together again, as
    TFDS does. Questions that are empty, or whose answer is not where the file says, are left out
    and counted in `reading`.

    Raises:
      DataError: as for `rows`, but not for what is left out.
    """
    found: dict[str, dict[str, Any]] = {}
    ids = Ids()
    for asked in _questions(path, reading, whole=False):
        identifier = asked.question.filled("id")
        earlier = found.get(identifier)
        question = asked.question.get("question", str)
        if earlier and (earlier["context"], earlier["question"]) == (asked.context, question):
            row = earlier
        else:
            ids.add(asked.question)
            row = {
                "id": identifier,
                "title": asked.title,
                "context": asked.context,
                "question": question,
                "answers": {"text": [], "answer_start": []},
            }
            found[identifier] = row
        for answer in asked.question.elements("answers"):
            row["answers"]["text"].append(answer.get("text", str))
            row["answers"]["answer_start"].append(answer.get("answer_start", int))
    for row in found.values():
        pairs = zip(row["answers"]["text"], row["answers"]["answer_start"], strict=True)
        aligned = [bool(text.strip()) and _at(row["context"], text, start) for text, start in pairs]
        if not row["question"].strip():
            reading.leave_out(path, UNASKED)
        elif not aligned or not all(aligned):
            reading.leave_out(path, LOST)
        else:
            yield row


def rows_v2(path: Path, reading: Reading) -> Iterator[dict[str, Any]]:
    """Yields the questions of a SQuAD 2.0 file, answerable or not.

    Raises:
      DataError: as for `rows`; or a question whose answers contradict `is_impossible`.
    """
    ids = Ids()
    for asked in _questions(path, reading):
        row = _row(asked, ids)
        impossible = asked.question.get("is_impossible", bool)
        if impossible == bool(row["answers"]["text"]):
            asked.question.member("is_impossible").fail(
                f"'is_impossible' is {str(impossible).lower()}, but the question has "
                f"{len(row['answers']['text'])} answers"
            )
        plausible = asked.question.has("plausible_answers")
        yield {
            **row,
            "is_impossible": impossible,
            "plausible_answers": _answers(asked, "plausible_answers") if plausible else _NONE,
        }


def answerable_rows(path: Path, reading: Reading) -> Iterator[dict[str, Any]]:
    """Yields the answerable questions of a SQuAD 2.0 file as SQuAD 1.1's; counts the others."""
    for row in rows_v2(path, reading):
        if row["is_impossible"]:
            reading.leave_out(path, UNANSWERABLE)
            continue
        del row["is_impossible"], row["plausible_answers"]
        yield row


class _Asked(NamedTuple):
    """A question and what it is asked about."""

    question: Node
    title: str
    context: str


_NONE: dict[str, list] = {"text": [], "answer_start": []}


def _questions(path: Path, reading: Reading, whole: bool = True) -> Iterator[_Asked]:
    """Yields the questions of a file; `whole` refuses an empty context."""
    count = 0
    for article in json_nodes.document(path, reading).elements("data"):
        title = article.get("title", str) if article.has("title") else ""
        for paragraph in article.elements("paragraphs"):
            context = paragraph.filled("context") if whole else paragraph.get("context", str)
            for question in paragraph.elements("qas"):
                called = question.called(f"question {question.filled('id')}")
                yield _Asked(called, title, context)
                count += 1
    if not count:
        json_nodes.checked.fail(path, 1, "the file has no questions")


def _row(asked: _Asked, ids: Ids) -> dict[str, Any]:
    return {
        "id": ids.add(asked.question),
        "title": asked.title,
        "context": asked.context,
        "question": asked.question.filled("question"),
        "answers": _answers(asked, "answers"),
    }


def _answers(asked: _Asked, name: str) -> dict[str, list]:
    """Returns the answers of a question, all of which stand in the context."""
    texts, starts = [], []
    for answer in asked.question.elements(name):
        text, start = answer.get("text", str), answer.get("answer_start", int)
        if not text.strip():
            answer.fail(
                "'text' is empty (XTREME's download script empties the answers of test files; "
                "give the file of the original distribution)"
            )
        if not _at(asked.context, text, start):
            there = asked.context[max(start, 0) :][: len(text)]
            answer.fail(
                f"the answer '{json_nodes.short(text)}' is not in its context at answer_start "
                f"{start}; '{json_nodes.short(there)}' is there"
            )
        texts.append(text)
        starts.append(start)
    return {"text": texts, "answer_start": starts}


def _at(context: str, text: str, start: int) -> bool:
    return start >= 0 and context.startswith(text, start)


def _plan(matches: Sequence[Match], plan: Plan) -> None:
    forms: tuple[tuple[str, Callable], ...] = (
        (V1, answerable_rows),
        (V1, rows),
        (V2, rows_v2),
    )
    planned: dict[str, list[str]] = {V1: [], V2: []}
    for match in matches:
        name, read = forms[match.pattern]
        plan.add(
            name,
            match.split,
            [match.path],
            functools.partial(read, match.path),
        )
        planned[name].append(match.split)
    for name, splits in planned.items():
        if splits:
            plan.note_missing(name, ("train", "validation"), splits)


IMPORTER = Importer(
    name="SQuAD",
    patterns=(
        r"squad_v1_from_v2/(?P<split>train|dev)-v2\.0[^/]*\.json",
        r"(?P<split>train|dev)-v1\.1\.json",
        r"(?P<split>train|dev)-v2\.0[^/]*\.json",
    ),
    layout=(
        "{train,dev}-v1.1.json  SQuAD 1.1",
        "{train,dev}-v2.0.json  SQuAD 2.0",
        "squad_v1_from_v2/{train,dev}-v2.0.json  its answerable questions, as SQuAD 1.1",
    ),
    plan=_plan,
)
