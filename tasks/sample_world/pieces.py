"""The sample world's SentencePiece model, trained on its own text."""

import io
from collections.abc import Iterable

# Words of the tasks' text formats, which every input or target holds.
_FORMAT_LINES = (
    "tag: question: context: xnli: premise: hypothesis: paws sentence1: sentence2:",
    "PER: LOC: ORG: $$",
    "different_meaning paraphrase 0 1 2 3 4 5 6 7 8 9 . ?",
    "qqp: question1: question2: duplicate not_duplicate unanswerable mnli: anli: context:",
    "hellaswag: cosmosqa: csqa: choice1: choice2: choice3: choice4: choice5:",
    "ccg: N/N P/N S/N/N S/N",
)


def train(lines: Iterable[str], size: int) -> bytes:
    """Returns a serialized SentencePiece BPE model; pad 0, eos 1, unk 2, as mT5's.

    The 100 sentinels are not in it: it is loaded with `extra_ids=100`. One thread, so that the
    same lines give the same bytes.

    Args:
      lines: text of all languages.
      size: number of pieces.
    """
    import sentencepiece

    lines = list(lines)
    formats = list(_FORMAT_LINES) * max(1, len(lines) // 20)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*lines, *formats]),
        model_writer=model,
        model_type="bpe",
        vocab_size=size,
        character_coverage=1.0,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        num_threads=1,
        split_by_unicode_script=False,
        minloglevel=2,
    )
    return model.getvalue()
