"""Data sets that TFDS does not have, in the form that mt5x's importers give them.

Each keeps the fields of its original files: CommonsenseQA 1.11 (Talmor et al. 2019), XCOPA (Ponti
et al. 2020; English is COPA, Roemmele et al. 2011), CCGbank's supertags (Hockenmaier and Steedman
2007), AdvGLUE's dev set (Wang et al. 2021), MLQA with question and context in two languages (Lewis
et al. 2020), and all sentences of BUCC 2018's mining task (Zweigenbaum et al. 2018), of which
TFDS's bucc has only the gold pairs.
"""

import itertools

from tasks import languages
from tasks.tfds_schemas.official import SQUAD_FEATURES
from tasks.tfds_schemas.specs import Features, Integer, Label, Schema, Sequence, Text

XCOPA_LABELS = ("choice1", "choice2")
# CommonsenseQA's answer keys.
CSQA_LABELS = ("A", "B", "C", "D", "E")
_ADVGLUE = ("sst2", "qqp", "mnli", "mnli_mismatched", "qnli", "rte")

_XCOPA_FEATURES: Features = {
    "premise": Text(),
    "choice1": Text(),
    "choice2": Text(),
    # 'cause' or 'effect'.
    "question": Text(),
    "label": Label(XCOPA_LABELS),
    "idx": Integer(),
    # Whether the translators changed the example; 0 or 1.
    "changed": Integer(),
}

OWN: dict[str, tuple[Schema, ...]] = {
    "commonsense_qa": (
        Schema(
            version="1.11.0",
            features={
                "id": Text(),
                "question": Text(),
                "question_concept": Text(),
                "choices": Sequence({"label": Text(), "text": Text()}),
                # '' in the test set.
                "answerKey": Text(),
            },
            splits=("train", "validation", "test"),
            official=False,
        ),
    ),
    "xcopa": (
        Schema(
            version="1.0.0",
            configs=tuple(code for code in languages.XCOPA if code != "en"),
            features=_XCOPA_FEATURES,
            splits=("validation", "test"),
            official=False,
        ),
        Schema(
            version="1.0.0",
            configs=("en",),
            features=_XCOPA_FEATURES,
            splits=("train", "validation"),
            official=False,
        ),
    ),
    "ccgbank": (
        Schema(
            version="1.0.0",
            features={"tokens": Sequence(Text()), "tags": Sequence(Text())},
            splits=("train", "validation", "test"),
            official=False,
        ),
    ),
    "advglue": (
        Schema(
            version="1.0.0",
            configs=_ADVGLUE,
            # The two texts in GLUE's order; `text2` is '' in SST-2. `label` is GLUE's number.
            features={"idx": Integer(), "text1": Text(), "text2": Text(), "label": Integer()},
            splits=("validation",),
            official=False,
        ),
    ),
    "mlqa_cross": (
        Schema(
            version="1.0.0",
            # The language of the context, then that of the question.
            configs=tuple(
                f"{context}-{question}"
                for context, question in itertools.permutations(languages.MLQA, 2)
            ),
            features=SQUAD_FEATURES,
            splits=("validation", "test"),
            official=False,
        ),
    ),
    "bucc_mining": (
        Schema(
            version="1.0.0",
            configs=languages.BUCC,
            # `side` is 'source' (the config's language) or 'target' (English), `pair` the id of
            # the gold partner or ''.
            features={"id": Text(), "side": Text(), "sentence": Text(), "pair": Text()},
            splits=("validation", "test"),
            official=False,
        ),
    ),
}
