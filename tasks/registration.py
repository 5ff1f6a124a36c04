"""Registers every task and mixture of the catalogue with SeqIO, without touching disk or network.

What a data set is, `tasks.definitions` says; what is common to all tasks (vocabulary, tokenizing,
EOS, names) is said here, once.
"""

import functools

import seqio

from tasks import catalogue, languages, mixtures, span_corruption
from tasks import vocabulary as vocabulary_lib
from tasks.definitions import DATA_SETS
from tasks.definitions.dataset import DataSet
from tasks.source import TfdsSource

_ENCODE = (
    seqio.preprocessors.tokenize,
    seqio.CacheDatasetPlaceholder(),
    seqio.preprocessors.append_eos_after_trim,
)


def register() -> None:
    """Adds all tasks and mixtures; once a process."""
    if catalogue.names()[0] in seqio.TaskRegistry.names():
        return
    for data_set in DATA_SETS.values():
        for kind, part in data_set.parts.items():
            for code in part.languages:
                _register(data_set, kind, code)
    for code in languages.MC4:
        _register_text(catalogue.span_corruption(code), code, with_sentinels=True)
        _register_text(catalogue.no_sentinels(code), code, with_sentinels=False)
    mixtures.register()


def _register(data_set: DataSet, kind: str, code: str) -> None:
    rows = data_set.parts[kind].rows(code)
    seqio.TaskRegistry.add(
        catalogue.task(data_set.name, kind, code),
        source=TfdsSource(rows.stored, rows.splits),
        preprocessors=[vocabulary_lib.ready, *rows.formats, *_ENCODE],
        postprocess_fn=data_set.scores.postprocessor,
        metric_fns=list(data_set.scores.functions(code)),
        output_features=vocabulary_lib.features(),
    )


def _register_text(name: str, code: str, with_sentinels: bool) -> None:
    """mT5's pretraining task, or its variant, on mC4's text of one language."""
    corrupt = functools.partial(
        span_corruption.span_corruption, targets_with_sentinels=with_sentinels
    )
    stored = languages.MC4_CODES.get(code, code)
    seqio.TaskRegistry.add(
        name,
        source=TfdsSource(
            "c4/multilingual:3.1.0", {"train": stored, "validation": f"{stored}-validation"}
        ),
        preprocessors=[
            vocabulary_lib.ready,
            span_corruption.text_only,
            seqio.preprocessors.tokenize,
            seqio.CacheDatasetPlaceholder(),
            corrupt,
            seqio.preprocessors.append_eos_after_trim,
        ],
        output_features=vocabulary_lib.features(),
        metric_fns=[],
    )
