"""Sentences whose words are tagged.

    PANX    inputs   tag: {tokens joined by a space}
            targets  PER: rick $$ PER: morty
    UD-POS  inputs   pos: {tokens joined by a space}
            targets  {one universal part of speech for each token, joined by a space}
    CCG     inputs   ccg: {tokens joined by a space}
            targets  {one supertag for each token, joined by a space}

In UD-POS and CCG the n-th tag belongs to the n-th token, so a space must not stand inside a token:
Vietnamese words of several syllables have them, and numbers such as '20 000'. There it becomes an
underscore, as Vietnamese word segmentation writes it. Zero-width joiners stay, for they are part of
how a word is spelled (mT5's vocabulary reads them as spaces, in words of any text). PANX's entities
are text, not positions, and its tokens stay as they are.

Parts of speech and supertags come through mT5's vocabulary unchanged, so nothing stands for them.
"""

from collections.abc import Callable

import tensorflow as tf

from tasks.formats.rows import each, name_of
from tasks.tfds_schemas import UPOS_TAGS

# RE2's \s is ASCII's; the rest are the no-break, thin, ideographic and other spaces, the line ends
# and separators of Unicode, and the space without width.
_WHITE_SPACE = r"[\s\x0b\x1c-\x1f\x{85}\p{Z}\x{200b}]+"


def entities(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Rows with tokens and spans ('PER: rick'), as in TFDS's wikiann.

    A sentence without entities has the one span 'None' there, which becomes the target.
    """

    def convert(row: dict) -> dict:
        return {
            "inputs": tf.strings.join(["tag: ", _joined(row["tokens"])]),
            "targets": tf.strings.reduce_join(row["spans"], separator=" $$ "),
        }

    return each(dataset, convert)


def pos(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Rows with tokens and upos, as in TFDS's xtreme_pos.

    Some treebanks are published without their words; what TFDS makes of those has no tokens, and
    is left out.
    """
    return _word_by_word(dataset, "pos: ", lambda row: name_of(row["upos"], UPOS_TAGS))


def supertags(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Rows with tokens and tags, as in ccgbank."""
    return _word_by_word(dataset, "ccg: ", lambda row: row["tags"])


def _word_by_word(
    dataset: tf.data.Dataset, begin: str, tags: Callable[[dict], tf.Tensor]
) -> tf.data.Dataset:
    def convert(row: dict) -> dict:
        tokens = tf.strings.regex_replace(row["tokens"], _WHITE_SPACE, "_")
        return {
            "inputs": tf.strings.join([begin, _joined(tokens)]),
            "targets": _joined(tags(row)),
        }

    return each(dataset.filter(lambda row: tf.size(row["tokens"]) > 0), convert)


def _joined(words: tf.Tensor) -> tf.Tensor:
    return tf.strings.reduce_join(words, separator=" ")
