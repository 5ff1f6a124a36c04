"""Writes a sample world: data sets, a vocabulary and the planted truth, whole or not at all.

    runs/sample_world/            a TFDS_DATA_DIR
      wikiann/en/1.0.0/ ...       wikiann, xnli, multi_nli, xtreme_xnli, paws_x_wiki, tydi_qa, c4
      sample_vocabulary/sentencepiece.model
      world.json                  settings, grammars, lexicons, similarity and overlap of all pairs

The same settings give the same bytes.
"""

import dataclasses
import json
import random
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tasks import languages as official
from tasks import tfds_writer, typology
from tasks.errors import DataError
from tasks.sample_world import examples, grammars, lexicons, pieces
from tasks.sample_world.examples import Row
from tasks.sample_world.meanings import Imagination
from tasks.sample_world.scripts import SCRIPTS
from tasks.sample_world.speech import Language

SYNTAX_DIALS = ("typology", "shared")
LEXICON_DIALS = ("relation", "equal", "drawn")

# The ten languages of the study come first. The others are there because the official data sets
# hold them: their words are made up of letters, not of whole pieces.
LANGUAGES = (
    *official.STUDY,
    *sorted({*official.XNLI, *official.PAWSX, *official.TYDIQA} - {*official.STUDY}),
)
_OTHERS_SHARE_OF_TEXT = 0.05


@dataclasses.dataclass(frozen=True)
class Size:
    """How many examples of each kind.

    Attributes:
      train: training examples of a task in one language.
      evaluation: examples of an evaluation split in one language.
      documents: documents of plain text in one of the ten languages.
      pieces: pieces of the vocabulary, without the 100 sentinels.
    """

    train: int
    evaluation: int
    documents: int
    pieces: int = 1200


SIZES = {
    "default": Size(train=10000, evaluation=200, documents=8000),
    "small": Size(train=300, evaluation=50, documents=400),
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """What determines a world.

    Attributes:
      seed: of all random choices.
      syntax: 'typology' (each language's own, from WALS) or 'shared' (one grammar for all).
      lexicon: 'relation', 'equal' or 'drawn': which languages write words alike (see `lexicons`).
      overlap: least and greatest probability that two languages share a word.
      size: a key of SIZES.
    """

    seed: int = 0
    syntax: str = "typology"
    lexicon: str = "relation"
    overlap: tuple[float, float] = (0.3, 0.8)
    size: str = "default"

    def __post_init__(self) -> None:
        """Refuses what is not on the dials."""
        for name, dials in (("syntax", SYNTAX_DIALS), ("lexicon", LEXICON_DIALS), ("size", SIZES)):
            if getattr(self, name) not in dials:
                raise DataError(
                    f"{name} of the sample world is one of {', '.join(dials)}, "
                    f"not '{getattr(self, name)}'"
                )
        low, high = self.overlap
        if not 0 <= low <= high <= 1:
            raise DataError(f"overlap needs 0 <= least <= greatest <= 1, got {low} and {high}")


class World:
    """The languages of a sample world.

    Attributes:
      settings: what it was made from.
      languages: ISO 639-1 code to language.
      names: the names that all languages use.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        taken: set[str] = set()
        rng = self.rng("lexicons")
        self.names = lexicons.names(rng, taken)
        # The ten first and by themselves, so that the others do not decide who shares with whom.
        ten, others = official.STUDY, [code for code in LANGUAGES if code not in official.STUDY]
        words: dict[str, lexicons.Lexicon] = {}
        for codes in (ten, others):
            least, greatest = settings.overlap
            sharing = lexicons.sharing(codes, settings.lexicon, least, greatest, rng)
            words |= lexicons.lexicons(codes, sharing, rng, taken)
        by_rule = grammars.grammars(LANGUAGES, settings.syntax)
        self.languages = {code: Language(code, by_rule[code], words[code]) for code in LANGUAGES}

    def rng(self, *key: object) -> np.random.Generator:
        """Returns a source of random choices that depends on the seed and the key only."""
        number = zlib.crc32("/".join(map(str, key)).encode())
        return np.random.default_rng([self.settings.seed, number])

    def think(self, *key: object) -> Imagination:
        """Returns an imagination of its own for the key."""
        # Python's generator: single draws, of which there are millions, are its strength.
        return Imagination(
            self.names, random.Random("/".join(map(str, (self.settings.seed, *key))))
        )

    def truth(self) -> dict[str, Any]:
        """Returns what world.json holds."""

        def pairs(measure: Callable[[Language, Language], float]) -> dict[str, dict[str, float]]:
            return {
                one.code: {
                    other.code: round(measure(one, other), 6) for other in self.languages.values()
                }
                for one in self.languages.values()
            }

        return {
            "seed": self.settings.seed,
            "settings": dataclasses.asdict(self.settings),
            "languages": {
                code: {
                    "iso_639_3": typology.ISO_639_3[code],
                    "script": SCRIPTS[code],
                    "parameters": language.grammar.parameters,
                    "words": language.lexicon.words,
                    "affixes": language.lexicon.affixes,
                }
                for code, language in self.languages.items()
            },
            "names": self.names,
            "syntactic_similarity": pairs(lambda a, b: grammars.similarity(a.grammar, b.grammar)),
            "lexical_overlap": pairs(lambda a, b: lexicons.overlap(a.lexicon, b.lexicon)),
        }

    # Each generator depends on data set, language and split alone.

    def panx(self, code: str, split: str, count: int) -> Iterator[Row]:
        """Yields rows of wikiann/{code}."""
        return examples.panx(self.languages[code], self.think("panx", code, split), count)

    def tydiqa(self, code: str, split: str, count: int) -> Iterator[Row]:
        """Yields rows of tydi_qa/goldp in one language."""
        think = self.think("tydiqa", code, split)
        return examples.tydiqa(self.languages[code], think, count, split)

    def pawsx(self, code: str, split: str, count: int) -> Iterator[Row]:
        """Yields rows of paws_x_wiki/{code}."""
        return examples.pawsx(self.languages[code], self.think("pawsx", code, split), count)

    def inferences(self, split: str, count: int) -> Iterator[examples.Inference]:
        """Yields inferences, to be said in any language."""
        return examples.inferences(self.think("xnli", split), count)

    def multi_nli(self, split: str, count: int) -> Iterator[Row]:
        """Yields rows of multi_nli: inferences said in English."""
        for inference in self.inferences(split, count):
            premise, hypothesis = inference.say(self.languages["en"])
            yield {"premise": premise, "hypothesis": hypothesis, "label": inference.label}

    def xnli(self, split: str, count: int) -> Iterator[Row]:
        """Yields rows of xnli and xtreme_xnli: inferences said in fifteen languages."""
        for inference in self.inferences(split, count):
            said = {code: inference.say(self.languages[code]) for code in official.XNLI}
            yield {
                "premise": {code: premise for code, (premise, _) in said.items()},
                "hypothesis": {code: hypothesis for code, (_, hypothesis) in said.items()},
                "label": inference.label,
            }

    def documents(self, code: str, split: str, count: int) -> Iterator[str]:
        """Yields plain text of one language."""
        return examples.documents(self.languages[code], self.think("c4", code, split), count)


def write(settings: Settings, out: Path, progress: Callable[[str, int, int], None]) -> bool:
    """Writes the world, unless `out` already holds it.

    Args:
      settings: what determines it.
      out: the folder, a TFDS_DATA_DIR afterwards.
      progress: called before each part with its name, how many are done, and how many there are.

    Returns:
      Whether it was written (False: it was there).

    Raises:
      DataError: `out` holds something else, a world of other settings included.
    """
    out = Path(out)
    if _is_there(settings, out):
        return False
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}.incomplete.", dir=out.parent))
    try:
        parts = _parts(World(settings), scratch)
        for done, (name, write_part) in enumerate(parts):
            progress(name, done, len(parts))
            write_part()
        progress("done", len(parts), len(parts))
        scratch.chmod(0o755)
        if out.is_dir():
            out.rmdir()  # Only an empty folder has come this far.
        scratch.rename(out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return True


def _is_there(settings: Settings, out: Path) -> bool:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    try:
        found = json.loads((out / "world.json").read_text())["settings"]
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(
            f"{out} holds something else than a sample world: choose another --out"
        ) from None
    wanted = json.loads(json.dumps(dataclasses.asdict(settings)))
    different = [
        f"{name} {found.get(name)} and not {wanted[name]}"
        for name in wanted
        if found.get(name) != wanted[name]
    ]
    if different:
        raise DataError(
            f"{out} holds a sample world with {', '.join(different)}: choose another --out, "
            "or remove that folder first"
        )
    return True


def _parts(world: World, data_dir: Path) -> list[tuple[str, Callable[[], object]]]:
    """Returns the data sets and files to write, each with its name."""
    size = SIZES[world.settings.size]
    parts: list[tuple[str, Callable[[], object]]] = []

    def add(name: str, splits: dict[str, Iterator[Row]]) -> None:
        # The splits are generators: no row is made before its data set's turn.
        parts.append((name, lambda: tfds_writer.write_dataset(name, splits, data_dir)))

    three = {"train": size.train, "validation": size.evaluation, "test": size.evaluation}
    for code in official.STUDY:
        add(
            f"wikiann/{code}:1.0.0",
            {split: world.panx(code, split, count) for split, count in three.items()},
        )
    add(
        "multi_nli:1.1.0",
        {
            "train": world.multi_nli("train", size.train),
            "validation_matched": world.multi_nli("validation_matched", size.evaluation),
            "validation_mismatched": world.multi_nli("validation_mismatched", size.evaluation),
        },
    )
    add("xtreme_xnli:1.1.0", {"train": world.xnli("train", size.train)})
    add(
        "xnli:1.1.0",
        {split: world.xnli(split, size.evaluation) for split in ("validation", "test")},
    )
    for code in official.PAWSX:
        add(
            f"paws_x_wiki/{code}:1.0.0",
            {split: world.pawsx(code, split, count) for split, count in three.items()},
        )
    add("tydi_qa/goldp:3.0.0", _tydiqa_splits(world, size))
    add("c4/multilingual:3.1.0", _c4_splits(world, size))
    parts.append(("vocabulary", lambda: _write_vocabulary(world, size, data_dir)))
    parts.append(("world.json", lambda: _write_truth(world, data_dir)))
    return parts


def _tydiqa_splits(world: World, size: Size) -> dict[str, Iterator[Row]]:
    def all_languages(split: str, count: int) -> Iterator[Row]:
        for code in official.TYDIQA:
            yield from world.tydiqa(code, split, count)

    return {
        "train": all_languages("train", size.train),
        "validation": all_languages("validation", size.evaluation),
        **{
            f"validation-{code}": world.tydiqa(code, "validation", size.evaluation)
            for code in official.TYDIQA
        },
    }


def _c4_splits(world: World, size: Size) -> dict[str, Iterator[Row]]:
    def rows(code: str, split: str, count: int) -> Iterator[Row]:
        for i, text in enumerate(world.documents(code, split, count)):
            yield {
                "text": text,
                "url": f"https://{code}.example/{split}/{i}",
                "content-type": "text/plain",
                "content-length": str(len(text.encode())),
                "timestamp": "2020-01-01T00:00:00Z",
            }

    splits = {}
    for code in LANGUAGES:
        splits[code] = rows(code, "train", _num_documents(code, size))
        splits[f"{code}-validation"] = rows(code, "validation", size.evaluation)
    return splits


def _num_documents(code: str, size: Size) -> int:
    return size.documents if code in official.STUDY else int(size.documents * _OTHERS_SHARE_OF_TEXT)


def _write_vocabulary(world: World, size: Size, data_dir: Path) -> None:
    lines = [
        line
        for code in LANGUAGES
        for line in world.documents(code, "train", max(20, _num_documents(code, size) // 8))
    ]
    folder = data_dir / "sample_vocabulary"
    folder.mkdir()
    (folder / "sentencepiece.model").write_bytes(pieces.train(lines, size.pieces))


def _write_truth(world: World, data_dir: Path) -> None:
    truth = json.dumps(world.truth(), ensure_ascii=False, indent=1)
    (data_dir / "world.json").write_text(truth + "\n", encoding="utf-8")
