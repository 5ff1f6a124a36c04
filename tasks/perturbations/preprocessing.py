"""The SeqIO preprocessor: noise in the formatted rows of a data set, before the tokenizer."""

import functools
from collections.abc import Callable, Iterable

import tensorflow as tf

from tasks.errors import DataError
from tasks.perturbations import clauses, layouts, rows
from tasks.perturbations.distractors import Pool
from tasks.perturbations.layouts import CLAUSE, DISTRACTOR
from tasks.perturbations.rows import Noise

Preprocessor = Callable[[tf.data.Dataset], tf.data.Dataset]
Contexts = Callable[[], Iterable[tf.data.Dataset]]


def preprocessor(
    kind: str,
    strength: int,
    seed: int = 0,
    *,
    data: str,
    language: str,
    pool: Contexts | None = None,
) -> Preprocessor:
    """Returns a SeqIO preprocessor that makes the inputs of formatted rows noisy.

    It stands after the formatting and before `tokenize`. `inputs` change and, in question
    answering, `question` and `context` with them; `targets`, `answers`, `id` and `side` do not. In
    retrieval only the sentences of the side 'source' change. The noise of a row depends on seed,
    kind and the row alone.

    Args:
      kind: one of `kinds_for(data)`.
      strength: percent, 0 to 100: of the words that the kind can change ('shuffle': of the windows
        of words); 'distractor', 'clause': of the rows. 0 changes nothing.
      seed: another seed draws other noise.
      data: the data set, 'xnli'; 'own' for a task of the user's own.
      language: ISO 639-1 code of the text; a pair 'ar.en' is that of context and question.
      pool: only for 'distractor': returns the formatted, unsharded rows of each split of the task,
        one dataset a split. A row's distractor comes from the split that has its context. Without
        it the preprocessor takes the rows that it is given, which then must be a whole split.

    Raises:
      DataError: no such kind, one that does not fit the data set, or a strength beyond 0 to 100.
    """
    layouts.check(kind, data)
    if isinstance(strength, bool) or not isinstance(strength, int) or not 0 <= strength <= 100:
        raise DataError(f"strength is a whole percentage from 0 to 100, not {strength!r}")
    if kind == CLAUSE:
        clauses.check(language)
    noise = Noise(kind, strength, seed, data, language.partition(".")[0])
    shape = layouts.layout(data).rows

    def perturbed(dataset: tf.data.Dataset) -> tf.data.Dataset:
        if not strength:
            return dataset
        if shape != "questions":
            return dataset.map(functools.partial(_text_row, noise=noise, shape=shape))
        pools = _Pools(pool or (lambda: [dataset])) if kind == DISTRACTOR else None
        return dataset.map(functools.partial(_question_row, noise=noise, pools=pools))

    return perturbed


def _text_row(row: dict, noise: Noise, shape: str) -> dict:
    def change(inputs: bytes, targets: bytes) -> bytes:
        return rows.text(noise, inputs.decode(), targets.decode()).encode()

    inputs = tf.numpy_function(change, [row["inputs"], row["targets"]], tf.string)
    inputs.set_shape(())
    if shape == "retrieval":
        inputs = tf.where(row["side"] == "source", inputs, row["inputs"])
    return {**row, "inputs": inputs}


def _question_row(row: dict, noise: Noise, pools: "_Pools | None") -> dict:
    def change(question: bytes, context: bytes, answers: Iterable[bytes]) -> list[bytes]:
        texts = question.decode(), context.decode()
        pool = pools.of(texts[1]) if pools else None
        gold = [answer.decode() for answer in answers]
        asked, read = rows.question(noise, *texts, gold, pool)
        return [text.encode() for text in (asked, read, rows.question_inputs(asked, read))]

    question, context, inputs = tf.numpy_function(
        change, [row["question"], row["context"], row["answers"]], [tf.string] * 3
    )
    for text in (question, context, inputs):
        text.set_shape(())
    return {**row, "inputs": inputs, "question": question, "context": context}


class _Pools:
    """The pools of a task's splits, each read when a row first asks for it."""

    def __init__(self, splits: Contexts):
        self._splits = splits
        self._read: list[Pool] = []
        self._unread: list[tf.data.Dataset] | None = None

    def of(self, context: str) -> Pool:
        """Returns the pool that has a context.

        Raises:
          DataError: no split has it.
        """
        for pool in self._read:
            if context in pool:
                return pool
        if self._unread is None:
            self._unread = list(self._splits())
        while self._unread:
            dataset = self._unread.pop(0).map(lambda row: row["context"])
            self._read.append(Pool(text.decode() for text in dataset.as_numpy_iterator()))
            if context in self._read[-1]:
                return self._read[-1]
        raise DataError(
            f"no split of the pool of distractors has the context '{context[:60]}'; give the "
            f"formatted rows of every split of the task"
        )
