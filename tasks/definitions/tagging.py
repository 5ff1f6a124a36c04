"""Tagging: PANX and UD-POS as targets, CCG supertagging as an intermediate task."""

from tasks import formats, languages, metrics, postprocessors
from tasks.definitions.dataset import (
    EVAL,
    TARGET,
    TRAIN,
    DataSet,
    Part,
    Rows,
    Scores,
    everywhere,
    intermediate,
    same,
)
from tasks.tfds_schemas import XTREME_POS_CODES, schema

PANX = DataSet(
    name="panx",
    title="PANX",
    cited="Pan et al. 2017, in the splits of Rahimi et al. 2019",
    role=TARGET,
    group="structured",
    parts={
        TRAIN: Part(
            languages.PANX,
            lambda code: Rows(f"wikiann/{code}:1.0.0", same("train"), (formats.entities,)),
        ),
        EVAL: Part(
            languages.PANX,
            lambda code: Rows(
                f"wikiann/{code}:1.0.0", same("validation", "test"), (formats.entities,)
            ),
        ),
    },
    scores=Scores(
        names=("span_f1",),
        main="span_f1",
        functions=everywhere(metrics.span_f1),
        postprocessor=postprocessors.comparable,
    ),
    # The ten of the study; `panx_eval_xtreme` has all forty.
    evaluated=languages.STUDY,
)


def _pos(code: str) -> str:
    """The TFDS data set that holds a language: two of its configs bear each other's code."""
    return f"xtreme_pos/xtreme_pos_{XTREME_POS_CODES.get(code, code)}:1.0.0"


def _pos_splits(code: str) -> dict[str, str]:
    """SeqIO to TFDS split; some treebanks have no dev set, and some the test set alone."""
    named = {"train": "train", "validation": "dev", "test": "test"}
    stored = schema(_pos(code)).splits
    return {ours: theirs for ours, theirs in named.items() if theirs in stored}


def _pos_train(code: str) -> Rows:
    return Rows(_pos(code), same("train"), (formats.pos,))


def _pos_eval(code: str) -> Rows:
    splits = {ours: theirs for ours, theirs in _pos_splits(code).items() if ours != "train"}
    return Rows(_pos(code), splits, (formats.pos,))


_TAG_SCORES = Scores(
    names=("tag_accuracy", "tag_macro_f1", "wrong_length", "chunk_f1"),
    main="tag_accuracy",
    functions=everywhere(metrics.tag_scores, metrics.chunk_f1),
)

UDPOS = DataSet(
    name="udpos",
    title="UD-POS",
    cited="Nivre et al. 2018 (Universal Dependencies 2.5)",
    role=TARGET,
    group="structured",
    parts={
        TRAIN: Part(
            tuple(code for code in languages.of("udpos") if "train" in _pos_splits(code)),
            _pos_train,
        ),
        EVAL: Part(languages.of("udpos"), _pos_eval),
    },
    scores=_TAG_SCORES,
)

CCG = intermediate(
    "ccg",
    "CCG supertagging",
    "Hockenmaier and Steedman 2007",
    "ccgbank:1.0.0",
    (formats.supertags,),
    _TAG_SCORES,
    held_out=same("validation", "test"),
)

DATA_SETS = (PANX, UDPOS, CCG)
