"""TyDiQA-GoldP: SQuAD's JSON, one file a language; an id begins with the language's name.

`tydiqa_goldp/dev-fi.json` becomes the split validation-fi of tydi_qa/goldp and a part of
validation; `train-fi.json` becomes a part of train.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks import languages
from tasks.importers import checked
from tasks.importers.checked import Progress, Unique

_TYPES: dict[type, str] = {
    str: "a string",
    int: "a whole number",
    list: "a list",
    dict: "an object",
}


def rows(path: Path, language: str, unique: Unique, progress: Progress) -> Iterator[dict[str, Any]]:
    """Yields the questions of one file in the order of the file.

    Args:
      path: the JSON file.
      language: its language; every id begins with the language's English name and a hyphen.
      unique: the ids seen so far in the split that the file belongs to.
      progress: told of bytes read.

    Raises:
      DataError: not JSON, a field that is absent or empty or of another type, an answer that is
        not in its context at answer_start, an id that comes twice or is of another language.
    """
    content = checked.text(path)
    try:
        document = json.loads(content)
    except json.JSONDecodeError as error:
        checked.fail(path, error.lineno, f"not valid JSON at column {error.colno}: {error.msg}")
    place = _Place(path, content)
    count = 0
    for article in place.field(document, "data", list):
        title = article.get("title", "") if isinstance(article, dict) else ""
        for paragraph in place.field(article, "paragraphs", list):
            context = place.filled(paragraph, "context")
            for question in place.field(paragraph, "qas", list):
                identifier = place.filled(question, "id")
                place.at(identifier)
                unique.add(path, place.line, identifier)
                prefix = languages.TYDIQA_NAMES[language] + "-"
                if not identifier.startswith(prefix):
                    place.fail(f"the id does not begin with '{prefix}', as {language}'s do")
                yield {
                    "id": identifier,
                    "title": title,
                    "context": context,
                    "question": place.filled(question, "question"),
                    "answers": _answers(question, context, place),
                }
                count += 1
    if not count:
        checked.fail(path, 1, "the file has no questions")
    progress(path.stat().st_size)


def _answers(question: Any, context: str, place: "_Place") -> dict[str, list]:
    texts, starts = [], []
    for answer in place.field(question, "answers", list):
        text, start = place.filled(answer, "text"), place.field(answer, "answer_start", int)
        found = context[start : start + len(text)] if start >= 0 else ""
        if found != text:
            place.fail(
                f"the answer '{_short(text)}' is not in its context at answer_start {start}; "
                f"'{_short(found)}' is there"
            )
        texts.append(text)
        starts.append(start)
    if not texts:
        place.fail("the question has no answer")
    return {"text": texts, "answer_start": starts}


class _Place:
    """Where in a JSON file the reader is: the question, and the line where its id stands."""

    def __init__(self, path: Path, content: str):
        self._path, self._content = path, content
        self._identifier: str | None = None
        self._offset = 0
        self.line = 1

    def at(self, identifier: str) -> None:
        """Moves on to the question with this id."""
        self._identifier = identifier
        quoted = json.dumps(identifier, ensure_ascii=False)
        offset = self._content.find(quoted, self._offset)
        if offset >= 0:
            self.line += self._content.count("\n", self._offset, offset)
            self._offset = offset + len(quoted)

    def fail(self, reason: str) -> None:
        """Raises the error of this place."""
        named = f"question {self._identifier}: " if self._identifier else ""
        checked.fail(self._path, self.line, named + reason)

    def field(self, parent: Any, name: str, kind: type) -> Any:
        """Returns a member of a JSON object, of the type that it must have."""
        if not isinstance(parent, dict) or name not in parent:
            self.fail(f"'{name}' is missing")
        value = parent[name]
        if not isinstance(value, kind) or isinstance(value, bool):
            self.fail(f"'{name}' must be {_TYPES[kind]}, found {_short(json.dumps(value))}")
        return value

    def filled(self, parent: Any, name: str) -> str:
        """Returns a string member that is not blank."""
        value = self.field(parent, name, str)
        if not value.strip():
            self.fail(f"'{name}' is empty")
        return value


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
