"""PANX (WikiAnn): one token and its BIO tag a line, a tab between, a blank line after a sentence.

`panx/train-sw.tsv`, `dev-sw.tsv` and `test-sw.tsv` become the splits of wikiann/sw.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks.importers import checked
from tasks.importers.checked import Progress
from tasks.tfds_schemas import PANX_TAGS


def rows(path: Path, language: str, progress: Progress) -> Iterator[dict[str, Any]]:
    """Yields a row per sentence, its spans computed from the tags.

    Raises:
      DataError: a line of other than two columns, an unknown tag, or an I- tag that follows
        neither a B- nor an I- tag of its kind.
    """
    tokens: list[str] = []
    tags: list[str] = []
    count = 0
    for number, line in checked.lines(path, progress):
        if not line:
            if tokens:
                count += 1
                yield _row(tokens, tags, language)
            tokens, tags = [], []
            continue
        columns = line.split("\t")
        if len(columns) != 2:
            checked.fail(
                path, number, f"expected a token, a tab and a tag, found {len(columns)} columns"
            )
        token, tag = columns
        if not token.strip():
            checked.fail(path, number, "the token is empty")
        checked.one_of(path, number, "tag", tag, PANX_TAGS)
        previous = tags[-1] if tags else "the beginning of the sentence"
        if tag.startswith("I-") and previous[1:] != tag[1:]:
            checked.fail(
                path,
                number,
                f"the tag {tag} cannot follow {previous}; an entity begins with B{tag[1:]}",
            )
        tokens.append(token)
        tags.append(tag)
    if tokens:
        count += 1
        yield _row(tokens, tags, language)
    if not count:
        checked.fail(path, 1, "the file has no sentences")


def spans(tokens: Sequence[str], tags: Sequence[str]) -> list[str]:
    """Returns the entities of a sentence as TFDS's wikiann writes them: 'PER: rick', or 'None'."""
    found: list[list[str]] = []
    for token, tag in zip(tokens, tags, strict=True):
        if tag.startswith("B-"):
            found.append([f"{tag[2:]}:", token])
        elif tag.startswith("I-"):
            found[-1].append(token)
    return [" ".join(parts) for parts in found] or ["None"]


def _row(tokens: list[str], tags: list[str], language: str) -> dict[str, Any]:
    return {
        "tokens": tokens,
        "tags": tags,
        "langs": [language] * len(tokens),
        "spans": spans(tokens, tags),
    }
