"""From the rows of a data set to mT5's `inputs` and `targets` texts.

The formats of XNLI, PAWS-X, PANX and question answering are google-research/multilingual-t5's; the
others follow T5's manner (Raffel et al. 2020), a prefix and named fields. Each module says its own.

All functions are SeqIO preprocessors: `tf.data.Dataset` in, `tf.data.Dataset` out. Of the features
of a row, those stay that the scoring needs.
"""

from tasks.formats.adversarial_glue import ENTAILMENT_LABELS, SST2_LABELS, advglue
from tasks.formats.multiple_choice import copa, cosmosqa, csqa, hellaswag
from tasks.formats.questions import UNANSWERABLE, ids_that_begin_with, question_answering
from tasks.formats.retrieval import aligned_pairs, gold_pairs, sentences
from tasks.formats.sentence_pairs import anli, intermediate_nli, nli, one_language, paraphrase, qqp
from tasks.formats.tagging import entities, pos, supertags

__all__ = [
    "ENTAILMENT_LABELS",
    "SST2_LABELS",
    "UNANSWERABLE",
    "advglue",
    "aligned_pairs",
    "anli",
    "copa",
    "cosmosqa",
    "csqa",
    "entities",
    "gold_pairs",
    "hellaswag",
    "ids_that_begin_with",
    "intermediate_nli",
    "nli",
    "one_language",
    "paraphrase",
    "pos",
    "qqp",
    "question_answering",
    "sentences",
    "supertags",
]
