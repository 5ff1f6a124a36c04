"""How much text of source and target a model was pretrained on, and whether they share a script."""

import math
from collections.abc import Sequence

from analysis.features.pair_feature import PairFeature, of_language
from analysis.pairs import PairMatrix
from tasks import languages as table


def resources(languages: Sequence[str]) -> list[PairFeature]:
    """Returns mC4's tokens of source, target and their difference, and the shared script.

    A language that the table, or mC4, does not have has unknown pairs.
    """
    known = table.table()
    tokens = {
        code: math.log10(known[code].mc4_tokens_billion or 0.0)
        for code in languages
        if code in known and known[code].mc4_tokens_billion
    }
    what = "log10 of mC4's billions of mT5 tokens (Xue et al. 2021, table 6)"
    return [
        *of_language("tokens", "Pretraining tokens", "more text", "resources", what, tokens,
                     languages),
        PairFeature(
            key="script",
            label="Same script",
            noun="the same script",
            group="resources",
            description="1 where both are written in one script (ISO 15924), else 0",
            values=PairMatrix.from_function(
                languages,
                lambda s, t: float(known[s].script == known[t].script)
                if s in known and t in known
                else None,
            ),
        ),
    ]  # fmt: skip
