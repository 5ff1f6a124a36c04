"""Tagged sentences: the texts written out by hand; one tag a word, whatever the words are."""

import json
from pathlib import Path

import pytest
import seqio
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import formats, tfds_schemas
from tests.tasks.by_hand import Case, formatted, texts_of

CASES = [
    Case(
        "wikiann/hi:1.0.0",
        "test",
        [
            {
                "tokens": ["रवि", "दिल्ली", "में", "है"],
                "tags": ["B-PER", "B-LOC", "O", "O"],
                "langs": ["hi"] * 4,
                "spans": ["PER: रवि", "LOC: दिल्ली"],
            }
        ],
        (formats.entities,),
        [("tag: रवि दिल्ली में है", "PER: रवि $$ LOC: दिल्ली")],
    ),
    Case(
        "xtreme_pos/xtreme_pos_ar:1.0.0",
        "dev",
        [
            {"tokens": ["القطة", "نائمة", "."], "upos": ["NOUN", "ADJ", "PUNCT"]},
            {"tokens": [], "upos": []},
        ],
        (formats.pos,),
        [("pos: القطة نائمة .", "NOUN ADJ PUNCT")],
    ),
    Case(
        "xtreme_pos/xtreme_pos_hi:1.0.0",
        "test",
        [{"tokens": ["बिल्ली", "सोती", "है", "।"], "upos": ["NOUN", "VERB", "AUX", "PUNCT"]}],
        (formats.pos,),
        [("pos: बिल्ली सोती है ।", "NOUN VERB AUX PUNCT")],
    ),
    # Words of several syllables, a number with a no-break space: one word, one tag.
    Case(
        "xtreme_pos/xtreme_pos_vi:1.0.0",
        "train",
        [{"tokens": ["Việt Nam", "có", "20\u00a0000", "xe"], "upos": [11, 15, 8, 7]}],
        (formats.pos,),
        [("pos: Việt_Nam có 20_000 xe", "PROPN VERB NUM NOUN")],
    ),
    # A zero-width non-joiner is how Persian spells a word.
    Case(
        "xtreme_pos/xtreme_pos_fa:1.0.0",
        "test",
        [{"tokens": ["او", "می\u200cرود"], "upos": ["PRON", "VERB"]}],
        (formats.pos,),
        [("pos: او می\u200cرود", "PRON VERB")],
    ),
    Case(
        "ccgbank:1.0.0",
        "validation",
        [{"tokens": ["``", "Ann", "ran", "''"], "tags": ["LQU", "N", r"S[dcl]\NP", "RQU"]}],
        (formats.supertags,),
        [("ccg: `` Ann ran ''", r"LQU N S[dcl]\NP RQU")],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_texts(case: Case, tmp_path: Path) -> None:
    made = formatted(case.name, case.split, case.rows, case.steps, tmp_path)
    assert texts_of(made) == case.texts


# What a word may hold: letters, marks and joiners, and white space of every kind.
WORDS = st.lists(
    st.text(
        st.one_of(
            st.characters(exclude_categories=["Cs"]),
            st.sampled_from(
                " \t\n\r\x0b\x1c\x1f\x85\xa0\u1680\u2003\u2028\u202f\u200b\u3000क्\u200d"
            ),
        ),
        min_size=1,
        max_size=6,
    ),
    min_size=1,
    max_size=8,
)


@given(sentences=st.lists(WORDS, min_size=1, max_size=20))
@settings(max_examples=30)
def test_there_is_one_word_for_each_tag_whatever_the_words_are(sentences) -> None:
    dataset = tf.data.Dataset.from_generator(
        lambda: ({"tokens": words, "tags": ["N"] * len(words)} for words in sentences),
        output_signature={
            "tokens": tf.TensorSpec([None], tf.string),
            "tags": tf.TensorSpec([None], tf.string),
        },
    )
    for words, row in zip(sentences, formats.supertags(dataset).as_numpy_iterator(), strict=True):
        inputs = row["inputs"].decode()
        assert inputs.startswith("ccg: ")
        # Python's white space is Unicode's.
        assert len(inputs.split()) - 1 == len(words) == len(row["targets"].split())


def test_tags_survive_mt5s_vocabulary(shared: Path) -> None:
    mt5 = seqio.SentencePieceVocabulary(str(shared / "data" / "mt5_vocab" / "spiece.model"))
    listed = json.loads((shared / "data" / "ccg" / "ccgbank_425_supertags.json").read_text())
    # The list has each in parentheses, which the files have not.
    supertags = [tag.removeprefix("(").removesuffix(")") for tag in listed]
    assert len(supertags) == 425
    for tags in (supertags, tfds_schemas.UPOS_TAGS):
        assert mt5.decode(mt5.encode(" ".join(tags))) == " ".join(tags)
        assert [mt5.decode(mt5.encode(tag)) for tag in tags] == list(tags)
