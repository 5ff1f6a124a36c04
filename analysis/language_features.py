"""Features of language pairs: what might predict transfer.

Typological similarities are ours: the cosine of two lang2vec vectors (Littell et al. 2017) over
the features known for both languages. They are not the distances that URIEL publishes, which such
cosines do not reproduce. A pair that shares too few features is unknown, never zero.
"""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from analysis.pairs import PairMatrix
from analysis.text_overlap import overlap, piece_splitter, pretraining_words
from mt5x.errors import UserError

FEWEST_SHARED = 10
"""A cosine over fewer known features than this is taken as unknown."""


@dataclasses.dataclass(frozen=True)
class PairFeature:
    """A number for ordered pairs of languages, and what it is.

    Attributes:
      key: short name, as in the tables.
      label: name for readers, as on an axis.
      noun: the name within a sentence, after "similarity" or "share" as it asks.
      group: 'planted', 'typology', 'text' or 'model': where the number comes from.
      description: exactly what was computed.
      values: the numbers.
      shared: how many lang2vec features both languages have; None where that means nothing.
    """

    key: str
    label: str
    noun: str
    group: str
    description: str
    values: PairMatrix
    shared: PairMatrix | None = None

    def known(self) -> bool:
        """Whether any pair of different languages has a number."""
        return bool(self.values.off_diagonal().any())


# key, label, noun, lang2vec set, what the set holds.
_TYPOLOGY = (
    ("syntax", "Syntax", "similar syntax", "syntax_wals", "binary features of WALS"),
    ("syntax_imputed", "Syntax, gaps filled", "similar syntax (gaps filled)", "syntax_knn",
     "gaps filled by lang2vec's nearest-neighbour prediction"),
    ("phonology", "Phonology", "similar phonology", "phonology_wals", "binary features of WALS"),
    ("inventory", "Sound inventory", "similar sound inventories", "inventory_knn",
     "gaps filled by lang2vec's nearest-neighbour prediction"),
    ("family", "Family", "close kinship", "fam", "memberships in the nodes of the family tree"),
    ("geography", "Geography", "neighbouring places", "geo",
     "distances to fixed points on the globe, as shares of the longest distance"),
)  # fmt: skip


def cosine(left: np.ndarray, right: np.ndarray) -> tuple[float | None, int]:
    """Returns the cosine of two vectors over the entries known in both, and how many these are.

    Args:
      left, right: [features], NaN where missing.

    Returns:
      (cosine, entries known in both); the cosine is None where fewer than `FEWEST_SHARED` entries
      are known in both, or one of the vectors is zero there.
    """
    both = ~np.isnan(left) & ~np.isnan(right)
    shared = int(both.sum())
    x, y = left[both], right[both]
    norm = float(np.linalg.norm(x) * np.linalg.norm(y))
    if shared < FEWEST_SHARED or norm == 0:
        return None, shared
    return float(np.clip(x @ y / norm, -1.0, 1.0)), shared


def typological(languages: Sequence[str]) -> list[PairFeature]:
    """Returns the lang2vec similarities of all pairs of `languages`."""
    features = []
    for key, label, noun, name, holds in _TYPOLOGY:
        known = _vectors(name, languages)
        cells = {(s, t): cosine(known[s], known[t]) for s in known for t in known}
        features.append(
            PairFeature(
                key=key,
                label=label,
                noun=noun,
                group="typology",
                description=f"cosine similarity of lang2vec's {name} vectors ({holds}), over the "
                "features known for both languages",
                values=PairMatrix.from_mapping(
                    languages, {pair: c for pair, (c, _) in cells.items() if c is not None}
                ),
                shared=PairMatrix.from_mapping(languages, {p: n for p, (_, n) in cells.items()}),
            )
        )
    return features


def textual(data_dir: str | os.PathLike[str], languages: Sequence[str]) -> list[PairFeature]:
    """Returns the lexical overlap of all pairs in the pretraining text under `data_dir`."""
    words = pretraining_words(data_dir, languages)
    running = min((len(w) for w in words.values() if w), default=0)
    if not running:
        return []
    source = f"in the first {running:,} running words of each language's pretraining text"
    features = [
        PairFeature(
            key="word_overlap",
            label="Shared words",
            noun="more shared words",
            group="text",
            description=f"Jaccard index of the lower-cased word types {source}",
            values=overlap(words),
        )
    ]
    pieces = piece_splitter(data_dir)
    if pieces is not None:
        features.append(
            PairFeature(
                key="piece_overlap",
                label="Shared subword pieces",
                noun="more shared subword pieces",
                group="text",
                description=f"Jaccard index of the vocabulary pieces {source}",
                values=overlap(words, pieces),
            )
        )
    return features


def planted(data_dir: str | os.PathLike[str], languages: Sequence[str]) -> list[PairFeature]:
    """Returns the planted truth of a sample world: `world.json` under `data_dir`, if it is there.

    Raises:
      UserError: the file is there but is no sample world's.
    """
    path = Path(data_dir) / "world.json"
    if not path.is_file():
        return []
    try:
        world = json.loads(path.read_text(encoding="utf-8"))
        syntax, lexicon = world["syntactic_similarity"], world["lexical_overlap"]
        return [
            PairFeature(
                key="planted_syntax",
                label="Planted syntax",
                noun="similar planted syntax",
                group="planted",
                description="syntactic similarity that the sample world was made with (world.json)",
                values=_nested(languages, syntax),
            ),
            PairFeature(
                key="planted_lexicon",
                label="Planted shared lexicon",
                noun="more planted shared lexicon",
                group="planted",
                description="lexical overlap that the sample world was made with (world.json)",
                values=_nested(languages, lexicon),
            ),
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} is not a sample world's description ({error!r}); write the world again with "
            "`mt5x sample-data`, or leave --data-dir out"
        ) from error


def of_model(languages: Sequence[str], lm: Mapping[str, float]) -> list[PairFeature]:
    """Returns LM(source), LM(target) and their difference.

    Args:
      languages: the languages of the pairs.
      lm: language -> LM(L), nats per target token of span corruption.
    """
    if not lm:
        return []
    own = "mean negative log-likelihood per target token of span corruption, in nats, of the "
    return [
        PairFeature(
            key="lm_source",
            label="LM(source)",
            noun="a higher LM(source)",
            group="model",
            description=f"{own}pretrained model on the source language; lower is better known",
            values=PairMatrix.from_function(languages, lambda s, t: lm.get(s)),
        ),
        PairFeature(
            key="lm_target",
            label="LM(target)",
            noun="a higher LM(target)",
            group="model",
            description=f"{own}pretrained model on the target language; lower is better known",
            values=PairMatrix.from_function(languages, lambda s, t: lm.get(t)),
        ),
        PairFeature(
            key="lm_difference",
            label="LM(source) − LM(target)",
            noun="a higher LM(source) than LM(target)",
            group="model",
            description=f"{own}pretrained model: the source's minus the target's",
            values=PairMatrix.from_function(
                languages, lambda s, t: lm[s] - lm[t] if s in lm and t in lm else None
            ),
        ),
    ]


def _vectors(feature_set: str, languages: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns language -> [features], NaN where missing, of the languages that lang2vec has."""
    from tasks import typology
    from tasks.errors import DataError

    found = {}
    for language in languages:
        try:
            found[language] = typology.vectors(feature_set, [language])[1][0].astype(np.float64)
        except DataError:
            continue  # The language is not in lang2vec: its pairs are unknown.
    return found


def _nested(languages: Sequence[str], values: Mapping[str, Mapping[str, float]]) -> PairMatrix:
    return PairMatrix.from_function(languages, lambda s, t: values.get(s, {}).get(t))
