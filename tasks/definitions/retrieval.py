"""Finding translations by the encoder's vectors: Tatoeba and BUCC 2018. Nothing is trained on."""

from tasks import formats, languages, metrics, postprocessors
from tasks.definitions.dataset import EVAL, TARGET, DataSet, Part, Rows, Scores, everywhere, same

TATOEBA = DataSet(
    name="tatoeba",
    title="Tatoeba",
    cited="Artetxe and Schwenk 2019",
    role=TARGET,
    group="retrieval",
    parts={
        EVAL: Part(
            languages.of("tatoeba"),
            # TFDS calls the one split `train`; XTREME tests on it.
            lambda code: Rows(
                f"tatoeba/tatoeba_{code}:1.0.0", {"test": "train"}, (formats.aligned_pairs,)
            ),
        )
    },
    scores=Scores(
        names=("retrieval_accuracy", "retrieval_accuracy_to_source"),
        # The direction of XTREME's own evaluation: each English sentence is looked for.
        main="retrieval_accuracy_to_source",
        functions=everywhere(metrics.retrieval_accuracy),
        postprocessor=postprocessors.sentence,
    ),
    embedded=True,
)

BUCC = DataSet(
    name="bucc",
    title="BUCC 2018",
    cited="Zweigenbaum et al. 2018",
    role=TARGET,
    group="retrieval",
    parts={
        EVAL: Part(
            languages.of("bucc"),
            # All sentences, those without a translation too; TFDS's bucc has the gold pairs alone.
            lambda code: Rows(
                f"bucc_mining/{code}:1.0.0", same("validation", "test"), (formats.sentences,)
            ),
        )
    },
    scores=Scores(
        names=(
            *("mining_f1", "mining_precision", "mining_recall"),
            *("mining_f1_cosine", "mining_precision_cosine", "mining_recall_cosine"),
        ),
        main="mining_f1",
        functions=everywhere(metrics.mining_scores),
        postprocessor=postprocessors.sentence,
    ),
    embedded=True,
)

DATA_SETS = (TATOEBA, BUCC)
