"""How well the pretrained model knows source and target."""

from collections.abc import Mapping, Sequence

from analysis.features.pair_feature import PairFeature
from analysis.pairs import PairMatrix


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
