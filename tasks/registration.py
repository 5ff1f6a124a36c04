"""Registers every task and mixture of the catalogue with SeqIO, without touching disk or network.

Each data set is a small function from a language to where its rows come from and how they become
text; what is common to all tasks (vocabulary, tokenizing, EOS, names) is said once in `_add`.
"""

import functools
from collections.abc import Callable, Sequence

import seqio

from tasks import catalogue, formats, languages, metrics, postprocessors, span_corruption
from tasks import vocabulary as vocabulary_lib
from tasks.source import TfdsSource

# mT5's exponent of the number of examples when languages are mixed (Xue et al. 2021).
SAMPLING_ALPHA = 0.3

_ENCODE = (
    seqio.preprocessors.tokenize,
    seqio.CacheDatasetPlaceholder(),
    seqio.preprocessors.append_eos_after_trim,
)


def register() -> None:
    """Adds all tasks and mixtures; once a process."""
    if catalogue.names()[0] in seqio.TaskRegistry.names():
        return
    for code in languages.XNLI:
        _register_xnli(code)
    for code in languages.PANX:
        _register_panx(code)
    for code in languages.TYDIQA:
        _register_tydiqa(code)
    for code in languages.PAWSX:
        _register_pawsx(code)
    for code in languages.MC4:
        _register_span_corruption(code)
    _register_mixtures()


def _add(
    name: str,
    tfds_name: str,
    splits: Sequence[str] | dict[str, str],
    preprocessors: Sequence[Callable],
    metric: Callable,
    postprocessor: Callable = postprocessors.stripped,
) -> None:
    seqio.TaskRegistry.add(
        name,
        source=TfdsSource(
            tfds_name, splits if isinstance(splits, dict) else {split: split for split in splits}
        ),
        preprocessors=[vocabulary_lib.ready, *preprocessors, *_ENCODE],
        postprocess_fn=postprocessor,
        metric_fns=[metric],
        output_features=vocabulary_lib.features(),
    )


def _register_xnli(code: str) -> None:
    """XNLI; trained on MNLI, in other languages than English on XTREME's translations of it."""
    in_language = functools.partial(formats.one_language, language=code)
    if code == "en":
        training, steps = "multi_nli:1.1.0", [formats.nli]
    else:
        training, steps = "xtreme_xnli:1.1.0", [in_language, formats.nli]
    _add(catalogue.train_task("xnli", code), training, ["train"], steps, metrics.accuracy)
    _add(
        catalogue.eval_task("xnli", code),
        "xnli:1.1.0",
        catalogue.FAMILIES["xnli"].eval_splits,
        [in_language, formats.nli],
        metrics.accuracy,
    )


def _register_panx(code: str) -> None:
    """PANX: WikiAnn in XTREME's balanced splits, which TFDS calls wikiann."""
    add = functools.partial(
        _add,
        tfds_name=f"wikiann/{code}:1.0.0",
        preprocessors=[formats.entities],
        metric=metrics.span_f1,
        postprocessor=postprocessors.comparable,
    )
    add(catalogue.train_task("panx", code), splits=["train"])
    add(catalogue.eval_task("panx", code), splits=catalogue.FAMILIES["panx"].eval_splits)


def _register_tydiqa(code: str) -> None:
    """TyDiQA-GoldP; its one train split holds all languages, its validation splits one each."""
    add = functools.partial(
        _add,
        tfds_name="tydi_qa/goldp:3.0.0",
        metric=metrics.squad,
        postprocessor=postprocessors.answers,
    )
    only = functools.partial(formats.ids_that_begin_with, prefix=languages.TYDIQA_NAMES[code])
    add(
        catalogue.train_task("tydiqa", code),
        splits=["train"],
        preprocessors=[only, formats.question_answering],
    )
    add(
        catalogue.eval_task("tydiqa", code),
        splits={"validation": f"validation-{code}"},
        preprocessors=[formats.question_answering],
    )


def _register_pawsx(code: str) -> None:
    """PAWS-X; its train splits in other languages than English are machine translations."""
    add = functools.partial(
        _add,
        tfds_name=f"paws_x_wiki/{code}:1.0.0",
        preprocessors=[formats.paraphrase],
        metric=metrics.accuracy,
    )
    add(catalogue.train_task("pawsx", code), splits=["train"])
    add(catalogue.eval_task("pawsx", code), splits=catalogue.FAMILIES["pawsx"].eval_splits)


def _register_span_corruption(code: str) -> None:
    """mT5's pretraining task on mC4's text of one language."""
    stored = languages.MC4_CODES.get(code, code)
    seqio.TaskRegistry.add(
        catalogue.span_corruption(code),
        source=TfdsSource(
            "c4/multilingual:3.1.0", {"train": stored, "validation": f"{stored}-validation"}
        ),
        preprocessors=[
            vocabulary_lib.ready,
            span_corruption.text_only,
            seqio.preprocessors.tokenize,
            seqio.CacheDatasetPlaceholder(),
            span_corruption.span_corruption,
            seqio.preprocessors.append_eos_after_trim,
        ],
        output_features=vocabulary_lib.features(),
        metric_fns=[],
    )


def _register_mixtures() -> None:
    add = functools.partial(seqio.MixtureRegistry.add, default_rate=1.0)
    for data, family in catalogue.FAMILIES.items():
        evaluated = [catalogue.eval_task(data, code) for code in family.evaluated]
        add(f"{data}_eval", evaluated)
        add(f"{data}_zeroshot", [catalogue.train_task(data, "en"), *evaluated])
        for code in family.languages:
            add(catalogue.zeroshot(data, code), [catalogue.train_task(data, code), *evaluated])
    seqio.MixtureRegistry.add(
        catalogue.SPAN_CORRUPTION,
        [catalogue.span_corruption(code) for code in languages.STUDY],
        default_rate=functools.partial(
            seqio.mixing_rate_num_examples, temperature=1 / SAMPLING_ALPHA
        ),
    )
