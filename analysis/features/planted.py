"""What was planted in a sample world."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from analysis.features.pair_feature import PairFeature
from analysis.pairs import PairMatrix
from mt5x.errors import UserError


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


def _nested(languages: Sequence[str], values: Mapping[str, Mapping[str, float]]) -> PairMatrix:
    return PairMatrix.from_function(languages, lambda s, t: values.get(s, {}).get(t))
