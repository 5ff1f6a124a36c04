"""The data sets of a sample world, under their official names, with the rows of each split.

Targets: wikiann, xnli, paws_x_wiki, tydi_qa, xquad, mlqa, tatoeba, bucc_mining. Intermediate tasks
in English: multi_nli, snli, anli, glue/qqp, squad, ccgbank, hellaswag, cosmos_qa, commonsense_qa.
English training rows in translation: xtreme_xnli (MNLI), xtreme_pawsx, and splits of tydi_qa and of
xquad (SQuAD). Text: c4.
"""

from collections.abc import Callable, Iterator, Mapping

from tasks import languages as official
from tasks.sample_world import examples, parallel, skills
from tasks.sample_world.examples import Row
from tasks.sample_world.meanings import Imagination
from tasks.sample_world.speech import Language
from tasks.sample_world.world import LANGUAGES, World

Splits = Mapping[str, Iterator[Row]]

_OTHERS_SHARE_OF_TEXT = 0.05
_EVALUATION = ("validation", "test")

_SPOKEN = Callable[[Language, Imagination, int], Iterator[Row]]
_INTERMEDIATE: Mapping[str, tuple[_SPOKEN, tuple[str, ...]]] = {
    "glue/qqp:2.0.0": (skills.qqp, ("train", "validation")),
    "squad/v2.0:3.0.0": (skills.squad2, ("train", "validation")),
    "ccgbank:1.0.0": (skills.ccg, ("train", *_EVALUATION)),
    "hellaswag:1.1.0": (skills.hellaswag, ("train", "validation")),
    "cosmos_qa:1.0.0": (skills.cosmosqa, ("train", "validation")),
    "commonsense_qa:1.11.0": (skills.csqa, ("train", "validation")),
}


def datasets(world: World) -> Iterator[tuple[str, Splits]]:
    """Yields every data set; its rows are made when they are read."""
    yield from _targets(world)
    yield from _parallel(world)
    yield from _intermediate(world)
    yield "c4/multilingual:3.1.0", _c4_splits(world)


def num_documents(world: World, code: str) -> int:
    """How many documents of plain text a language has."""
    all_of_them = world.size.documents
    return all_of_them if code in official.STUDY else int(all_of_them * _OTHERS_SHARE_OF_TEXT)


def _targets(world: World) -> Iterator[tuple[str, Splits]]:
    size = world.size
    three = {"train": size.train, "validation": size.evaluation, "test": size.evaluation}
    for code in official.STUDY:
        yield (
            f"wikiann/{code}:1.0.0",
            {split: world.panx(code, split, count) for split, count in three.items()},
        )
    matched = ("validation_matched", "validation_mismatched")
    yield (
        "multi_nli:1.1.0",
        {
            "train": world.multi_nli("train", size.train),
            **{split: world.multi_nli(split, size.evaluation) for split in matched},
        },
    )
    yield "xtreme_xnli:1.1.0", {"train": world.xnli("train", size.train)}
    yield "xnli:1.1.0", {split: world.xnli(split, size.evaluation) for split in _EVALUATION}
    for code in official.PAWSX:
        yield (
            f"paws_x_wiki/{code}:1.0.0",
            {split: world.pawsx(code, split, count) for split, count in three.items()},
        )
        if code != "en":
            rows = world.pawsx(code, "train", size.train, of="en")
            yield f"xtreme_pawsx/{code}:1.0.0", {"train": rows}
    yield "tydi_qa/goldp:3.0.0", _tydiqa_splits(world)


def _parallel(world: World) -> Iterator[tuple[str, Splits]]:
    count = world.size.evaluation
    english = world.languages["en"]
    for code in official.of("xquad"):
        yield f"xquad/{code}:3.0.0", _xquad_splits(world, code)
    for code in official.of("mlqa"):
        yield (
            f"mlqa/{code}:1.0.0",
            {split: _asked(world, "mlqa", code, split) for split in _EVALUATION},
        )
    for code in official.of("tatoeba"):
        if code in world.languages:
            think = world.think("tatoeba", code)
            rows = parallel.tatoeba(world.languages[code], english, think, count)
            yield f"tatoeba/tatoeba_{code}:1.0.0", {"train": rows}
    for code in official.of("bucc"):
        yield (
            f"bucc_mining/{code}:1.0.0",
            {
                split: parallel.bucc(
                    world.languages[code], english, world.think("bucc", code, split), count
                )
                for split in _EVALUATION
            },
        )


def _intermediate(world: World) -> Iterator[tuple[str, Splits]]:
    english = world.languages["en"]

    def count(split: str) -> int:
        return world.size.intermediate if split == "train" else world.size.evaluation

    for name, (spoken, splits) in _INTERMEDIATE.items():
        yield (
            name,
            {split: spoken(english, world.think(name, split), count(split)) for split in splits},
        )
    yield (
        "squad/v1.1:3.0.0",
        {split: _asked(world, "squad1", "en", split) for split in ("train", "validation")},
    )

    def inferences(data: str, split: str) -> Iterator[examples.Inference]:
        return examples.inferences(world.think(data, split), count(split))

    splits = ("train", *_EVALUATION)
    yield "snli:1.1.0", {one: skills.snli(english, inferences("snli", one)) for one in splits}
    for number in (1, 2, 3):
        yield (
            f"anli/r{number}:0.1.0",
            {one: skills.anli(english, inferences(f"anli{number}", one), number) for one in splits},
        )


def _asked(world: World, data: str, code: str, split: str) -> Iterator[Row]:
    """Yields rows as SQuAD's: the same questions in every language."""
    count = world.size.intermediate if split == "train" else world.size.evaluation
    return examples.questions(
        world.languages[code], world.think(data, split), count, f"{data}-{split}"
    )


def _xquad_splits(world: World, code: str) -> dict[str, Iterator[Row]]:
    """XQuAD; SQuAD's splits in translation from English, and XQuAD's own into English."""
    splits = {"test": _asked(world, "xquad", code, "test")}
    if code != "en":
        splits |= {
            "translate-train": _asked(world, "squad1", code, "train"),
            "translate-dev": _asked(world, "squad1", code, "validation"),
            "translate-test": _asked(world, "xquad", "en", "test"),
        }
    return splits


def _tydiqa_splits(world: World) -> dict[str, Iterator[Row]]:
    size = world.size

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
        **{
            f"translate-train-{code}": world.tydiqa(code, "train", size.train, of="en")
            for code in official.TYDIQA
            if code != "en"
        },
    }


def _c4_splits(world: World) -> dict[str, Iterator[Row]]:
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
        splits[code] = rows(code, "train", num_documents(world, code))
        splits[f"{code}-validation"] = rows(code, "validation", world.size.evaluation)
    return splits
