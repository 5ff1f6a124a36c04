"""PANX (WikiAnn): one token and its BIO tag a line, a tab between, a blank line after a sentence.

`panx/train-sw.tsv`, `dev-sw.tsv` and `test-sw.tsv`, as XTREME's script writes them, become the
splits of wikiann/sw; so do `train`, `dev` and `test` in a folder `sw.tar.gz`, `panx/sw` or
`wikiann/sw`, as unpacked from the original archive, where the language stands before each token
(`sw:Nairobi`).
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks.importers import checked, tagging
from tasks.importers.base import Importer, Match, Plan, Reading, by_split_and_language
from tasks.tfds_schemas import PANX_TAGS, SCHEMAS


def rows(path: Path, language: str, reading: Reading) -> Iterator[dict[str, Any]]:
    """Yields a row per sentence of XTREME's form, its spans computed from the tags.

    Raises:
      DataError: a line of other than two columns, an unknown tag, or an I- tag that follows
        neither a B- nor an I- tag of its kind.
    """
    return _rows(path, language, reading, lambda number, token: token)


def original_rows(path: Path, language: str, reading: Reading) -> Iterator[dict[str, Any]]:
    """Yields a row per sentence of the original form.

    Raises:
      DataError: as `rows`, or a token before which the language does not stand.
    """

    def without_language(number: int, token: str) -> str:
        bare = token.removeprefix(f"{language}:")
        if bare == token:
            checked.fail(path, number, f"the token '{token}' does not begin with '{language}:'")
        if not bare.strip():
            checked.fail(path, number, "the token is empty")
        return bare

    return _rows(path, language, reading, without_language)


def spans(tokens: Sequence[str], tags: Sequence[str]) -> list[str]:
    """Returns the entities of a sentence as TFDS's wikiann writes them: 'PER: rick', or 'None'."""
    found: list[list[str]] = []
    for token, tag in zip(tokens, tags, strict=True):
        if tag.startswith("B-"):
            found.append([f"{tag[2:]}:", token])
        elif tag.startswith("I-"):
            found[-1].append(token)
    return [" ".join(parts) for parts in found] or ["None"]


def _rows(
    path: Path, language: str, reading: Reading, token_of: Callable[[int, str], str]
) -> Iterator[dict[str, Any]]:
    for sentence in tagging.sentences(path, reading):
        tokens: list[str] = []
        tags: list[str] = []
        for number, fields in sentence:
            token, tag = tagging.columns(path, (number, fields), "a token, a tab and a tag", 2)
            checked.one_of(path, number, "tag", tag, PANX_TAGS)
            previous = tags[-1] if tags else "the beginning of the sentence"
            if tag.startswith("I-") and previous[1:] != tag[1:]:
                checked.fail(
                    path,
                    number,
                    f"the tag {tag} cannot follow {previous}; an entity begins with B{tag[1:]}",
                )
            tokens.append(token_of(number, token))
            tags.append(tag)
        yield {
            "tokens": tokens,
            "tags": tags,
            "langs": [language] * len(tokens),
            "spans": spans(tokens, tags),
        }


def _plan(matches: Sequence[Match], plan: Plan) -> None:
    (schema,) = SCHEMAS["wikiann"]
    files = by_split_and_language(matches, schema.configs, "wikiann")
    for split, by_language in files.items():
        for code, match in by_language.items():
            read = rows if match.pattern == 0 else original_rows
            plan.add(
                f"wikiann/{code}:{schema.version}",
                split,
                [match.path],
                functools.partial(read, match.path, code),
            )
    plan.note_missing("wikiann", schema.splits, files)


IMPORTER = Importer(
    name="PANX",
    patterns=(
        r"panx/(?P<split>train|dev|test)-(?P<language>[a-z-]+)\.tsv",
        r"(?P<language>[a-z-]+)\.tar\.gz/(?P<split>train|dev|test)",
        r"(?:panx|panx_dataset|wikiann)/(?P<language>[a-z-]+)/(?P<split>train|dev|test)",
    ),
    layout=(
        "panx/{train,dev,test}-LANGUAGE.tsv  token TAB tag, blank line between sentences",
        "{wikiann,panx}/LANGUAGE/{train,dev,test}  the same, as WikiAnn has it: sw:token TAB tag",
    ),
    plan=_plan,
)
