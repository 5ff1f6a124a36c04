"""Versions, configs, splits and features of the official TFDS data sets that the tasks read.

Stated here, and not asked of the official builder classes, because constructing one of those
looks for its files on the network. A test compares every entry with the installed TFDS.
"""

import re

from tasks import languages
from tasks.tfds_schemas.specs import (
    Boolean,
    Features,
    Integer,
    Label,
    Schema,
    Sequence,
    Text,
    Translations,
    VariableTranslations,
)

NLI_LABELS = ("entailment", "neutral", "contradiction")
ANLI_LABELS = ("e", "n", "c")
PAWSX_LABELS = ("different_meaning", "paraphrase")
QQP_LABELS = ("not_duplicate", "duplicate")
COSMOSQA_LABELS = ("0", "1", "2", "3")
PANX_TAGS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
# The 17 universal parts of speech, and what CoNLL-U writes for none.
UPOS_TAGS = (
    *("ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN"),
    *("PUNCT", "SCONJ", "SYM", "VERB", "X", "_"),
)

# TFDS's xtreme_pos reads Tagalog's treebanks for `ta` and Tamil's for `tl`: ISO 639-1 has them the
# other way round. The config that holds a language, where it is not the language's own code.
XTREME_POS_CODES = {"ta": "tl", "tl": "ta"}
# By TFDS's codes: `ta` is Tagalog here.
_POS_TEST_ONLY = ("ta", "th", "yo")
_POS_WITHOUT_DEV = ("kk",)
_POS_WHOLE = tuple(
    code for code in languages.UDPOS if code not in (*_POS_TEST_ONLY, *_POS_WITHOUT_DEV)
)

_TRAIN_DEV_TEST = ("train", "validation", "test")

_PAIR_OF_NLI: Features = {"premise": Text(), "hypothesis": Text(), "label": Label(NLI_LABELS)}
_XNLI_FEATURES: Features = {
    "premise": Translations(languages.XNLI),
    "hypothesis": VariableTranslations(languages.XNLI),
    "label": Label(NLI_LABELS),
}
_PAWSX_FEATURES: Features = {
    "sentence1": Text(),
    "sentence2": Text(),
    "label": Label(PAWSX_LABELS),
}
_SPANS = Sequence({"text": Text(), "answer_start": Integer()})
SQUAD_FEATURES: Features = {
    "id": Text(tensor=True),
    "title": Text(),
    "context": Text(),
    "question": Text(),
    "answers": _SPANS,
}
_POS_FEATURES: Features = {"tokens": Sequence(Text()), "upos": Sequence(Label(UPOS_TAGS))}


def _prefixed(prefix: str, codes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{prefix}_{code}" for code in codes)


def _translated(codes: tuple[str, ...]) -> tuple[str, ...]:
    """The languages into which English was translated."""
    return tuple(code for code in codes if code != "en")


# One schema for each group of configs with the same features and splits.
OFFICIAL: dict[str, tuple[Schema, ...]] = {
    "multi_nli": (
        Schema("1.1.0", _PAIR_OF_NLI, ("train", "validation_matched", "validation_mismatched")),
    ),
    "snli": (
        Schema(
            "1.1.0", {**_PAIR_OF_NLI, "label": Label(NLI_LABELS, unlabelled=True)}, _TRAIN_DEV_TEST
        ),
    ),
    "anli": (
        Schema(
            version="0.1.0",
            configs=("r1", "r2", "r3"),
            features={
                "uid": Text(),
                "context": Text(),
                "hypothesis": Text(),
                "label": Label(ANLI_LABELS),
            },
            splits=_TRAIN_DEV_TEST,
        ),
    ),
    "xnli": (Schema("1.1.0", _XNLI_FEATURES, ("validation", "test")),),
    "xtreme_xnli": (Schema("1.1.0", _XNLI_FEATURES, ("train",)),),
    "paws_x_wiki": (Schema("1.0.0", _PAWSX_FEATURES, _TRAIN_DEV_TEST, configs=languages.PAWSX),),
    "xtreme_pawsx": (
        Schema(
            version="1.0.0",
            configs=_translated(languages.PAWSX),
            features=_PAWSX_FEATURES,
            splits=("train",),
        ),
    ),
    "glue": (
        Schema(
            version="2.0.0",
            configs=("qqp",),
            features={
                "question1": Text(),
                "question2": Text(),
                "label": Label(QQP_LABELS, unlabelled=True),
                "idx": Integer(),
            },
            splits=_TRAIN_DEV_TEST,
        ),
    ),
    "wikiann": (
        Schema(
            version="1.0.0",
            configs=languages.WIKIANN,
            features={
                "tokens": Sequence(Text()),
                "tags": Sequence(Label(PANX_TAGS)),
                "langs": Sequence(Text()),
                "spans": Sequence(Text()),
            },
            splits=_TRAIN_DEV_TEST,
        ),
    ),
    "xtreme_pos": (
        Schema(
            version="1.0.0",
            configs=_prefixed("xtreme_pos", _POS_WHOLE),
            features=_POS_FEATURES,
            splits=("train", "dev", "test"),
        ),
        Schema(
            version="1.0.0",
            configs=_prefixed("xtreme_pos", _POS_WITHOUT_DEV),
            features=_POS_FEATURES,
            splits=("train", "test"),
        ),
        Schema(
            version="1.0.0",
            configs=_prefixed("xtreme_pos", _POS_TEST_ONLY),
            features=_POS_FEATURES,
            splits=("test",),
        ),
    ),
    "tydi_qa": (
        Schema(
            version="3.0.0",
            configs=("goldp",),
            features=SQUAD_FEATURES,
            splits=(
                "train",
                "validation",
                *(f"validation-{code}" for code in languages.TYDIQA),
                *(f"translate-train-{code}" for code in _translated(languages.TYDIQA)),
            ),
        ),
    ),
    "squad": (
        Schema("3.0.0", SQUAD_FEATURES, ("train", "validation"), configs=("v1.1",)),
        Schema(
            version="3.0.0",
            configs=("v2.0",),
            features={**SQUAD_FEATURES, "plausible_answers": _SPANS, "is_impossible": Boolean()},
            splits=("train", "validation"),
        ),
    ),
    "xquad": (
        Schema(
            version="3.0.0",
            configs=_translated(languages.XQUAD),
            features=SQUAD_FEATURES,
            splits=("test", "translate-train", "translate-dev", "translate-test"),
        ),
        Schema("3.0.0", SQUAD_FEATURES, ("test",), configs=("en",)),
    ),
    "mlqa": (Schema("1.0.0", SQUAD_FEATURES, ("validation", "test"), configs=languages.MLQA),),
    "hellaswag": (
        Schema(
            version="1.1.0",
            features={
                "context": Text(),
                "endings": Sequence(Text()),
                "activity_label": Text(),
                # A plain number, and -1 in the test set.
                "label": Integer(),
                "split_type": Text(),
                "source_id": Text(),
            },
            splits=(
                *("train", "train_activitynet", "train_wikihow", "validation", "test"),
                *("validation_ind_activitynet", "validation_ood_activitynet"),
                *("test_ind_activitynet", "test_ood_activitynet"),
                *("validation_ind_wikihow", "validation_ood_wikihow"),
                *("test_ind_wikihow", "test_ood_wikihow"),
            ),
        ),
    ),
    "cosmos_qa": (
        Schema(
            version="1.0.0",
            features={
                "context": Text(),
                "question": Text(),
                "answer0": Text(),
                "answer1": Text(),
                "answer2": Text(),
                "answer3": Text(),
                "label": Label(COSMOSQA_LABELS, unlabelled=True),
                "id": Text(),
            },
            splits=_TRAIN_DEV_TEST,
        ),
    ),
    "tatoeba": (
        Schema(
            version="1.0.0",
            configs=_prefixed("tatoeba", languages.TATOEBA),
            features={
                "source_sentence": Text(),
                "target_sentence": Text(),
                "source_language": Text(),
                "target_language": Text(),
            },
            splits=("train",),
        ),
    ),
    "bucc": (
        Schema(
            version="1.0.0",
            configs=_prefixed("bucc", languages.BUCC),
            features={
                "source_sentence": Text(),
                "target_sentence": Text(),
                "source_id": Text(),
                "target_id": Text(),
            },
            splits=("validation", "test"),
        ),
    ),
    "c4": (
        Schema(
            version="3.1.0",
            configs=("multilingual",),
            features={
                "text": Text(),
                "url": Text(),
                "content-type": Text(),
                "content-length": Text(),
                "timestamp": Text(),
            },
            # Every language of mC4 has two.
            splits=("sw", "sw-validation"),
            split_pattern=re.compile(r"[a-z]{2,3}(-Latn)?(-validation)?"),
        ),
    ),
}
