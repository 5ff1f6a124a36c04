"""Examples of a task or mixture as a model sees them: texts, token ids, and pieces."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import seqio

from tasks.errors import DataError
from tasks.inspection import lookup
from tasks.inspection.lookup import Provider

FEATURES = ("inputs", "targets")


@dataclasses.dataclass(frozen=True)
class Example:
    """One example.

    Attributes:
      texts: 'inputs' and 'targets' before tokenizing; decoded ids where the task keeps no text.
      ids: 'inputs' and 'targets' as int32 [n] token ids, EOS included.
    """

    texts: dict[str, str]
    ids: dict[str, np.ndarray]


def read(
    provider: Provider, split: str, count: int, seed: int, lengths: Mapping[str, int] | None
) -> list[Example]:
    """Reads `count` examples (or as many as there are) of a split, shuffled by `seed`.

    Args:
      provider: a task, or a mixture, whose tasks come by their rates.
      split: its split.
      count: at most so many.
      seed: of the shuffling and mixing.
      lengths: to cut to, for tasks that fill the lengths they are given; None cuts nothing.

    Raises:
      DataError: the data or the vocabulary is not there, or there is no row.
    """
    # A mixture ends with its smallest task, unless its tasks are repeated.
    mixed = isinstance(provider, seqio.Mixture)
    dataset = provider.get_dataset(
        sequence_length=lengths,
        split=split,
        shuffle=True,
        seed=seed,
        num_epochs=None if mixed else 1,
    )
    if mixed:
        stored = [lookup.sizes(task).get(split) for task in lookup.tasks_of(provider, split)]
        known = [size for size in stored if size is not None]
        # No example twice for the sake of the count.
        count = min(count, sum(known)) if len(known) == len(stored) else count
    absent = [feature for feature in FEATURES if feature not in dataset.element_spec]
    if absent:
        raise DataError(
            f"{provider.name} gives no {' and no '.join(absent)}; `mt5x tasks NAME` and training "
            f"need tasks of text to text, with 'inputs' and 'targets'"
        )
    vocabularies = {name: provider.output_features[name].vocabulary for name in FEATURES}
    found = [_example(row, vocabularies) for row in dataset.take(count).as_numpy_iterator()]
    if not found:
        stated = " and ".join(task.name for task in lookup.tasks_of(provider, split))
        raise DataError(
            f"{provider.name} has no example in its split '{split}': no stored row is one of "
            f"{stated}; import that language's file with `mt5x import-data`"
        )
    return found


def pieces(vocabulary: seqio.Vocabulary, ids: np.ndarray) -> list[str]:
    """Returns each token as text: SentencePiece's pieces, or bytes with the character they end.

    A byte of ASCII is its character, another one its two hexadecimal digits; the last byte of a
    longer character is followed by the character: 'd8', 'a7=ا'.
    """
    if isinstance(vocabulary, seqio.ByteVocabulary):
        return _bytes([int(number) for number in ids], vocabulary)
    return [_piece(vocabulary, int(number)) for number in ids]


def _example(row: Mapping[str, Any], vocabularies: Mapping[str, seqio.Vocabulary]) -> Example:
    ids = {name: np.asarray(row[name], np.int32) for name in FEATURES}
    texts = {}
    for name in FEATURES:
        kept = row.get(f"{name}_pretokenized")
        if isinstance(kept, bytes):
            texts[name] = kept.decode("utf-8")
        else:
            texts[name] = vocabularies[name].decode(ids[name].tolist())
    return Example(texts, ids)


def _piece(vocabulary: seqio.Vocabulary, number: int) -> str:
    tokenizer = getattr(vocabulary, "tokenizer", None)
    if tokenizer is None:
        return vocabulary.decode([number])
    if number >= tokenizer.get_piece_size():
        return f"<{number}>"
    return tokenizer.id_to_piece(number)


def _bytes(ids: list[int], vocabulary: seqio.ByteVocabulary) -> list[str]:
    special = {vocabulary.pad_id: "<pad>", vocabulary.eos_id: "</s>", vocabulary.unk_id: "<unk>"}
    offset = len(special)
    found: list[str] = []
    character = bytearray()
    for number in ids:
        if number in special:
            found.append(special[number])
        elif number - offset > 255:
            found.append(f"<{number}>")
        elif number - offset < 128:
            found.append("▁" if number - offset == 0x20 else chr(number - offset))
        else:
            found.append(f"{number - offset:02x}")
            character.append(number - offset)
            try:
                found[-1] += f"={character.decode('utf-8')}"
            except UnicodeDecodeError:
                continue
        character.clear()
    return found
