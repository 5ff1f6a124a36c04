"""The sample world: planted truth, rows that mean what they say, writing whole or not at all."""

import json

import numpy as np
import pytest

from tasks import languages, typology
from tasks.errors import DataError
from tasks.sample_world import grammars, lexicons, world
from tasks.sample_world.meanings import Clause, NounPhrase

QUIET = lambda name, done, total: None  # noqa: E731


@pytest.fixture(scope="module")
def made() -> world.World:
    return world.World(world.Settings(size="small"))


def pair_values(measure: dict) -> np.ndarray:
    codes = languages.STUDY
    return np.array([measure[a][b] for a in codes for b in codes if a != b])


def test_word_order_is_that_of_wals():
    order = {code: grammars.grammar_of(code).parameters for code in languages.STUDY}
    assert order["hi"]["object"] == {"before_verb": 1.0}
    assert order["ar"]["subject"] == {"after_verb": 1.0}
    assert order["fi"]["adposition"] == {"after_noun": 1.0}
    assert order["sw"]["tense"] == {"prefix": 1.0}
    # WALS: German has no dominant order of object and verb.
    assert order["de"]["object"] == {"before_verb": 0.5, "after_verb": 0.5}


def test_similarity_is_symmetric_and_finds_the_families_of_word_order(made):
    similarity = made.truth()["syntactic_similarity"]
    for one in languages.STUDY:
        assert similarity[one][one] == 1.0
        for other in languages.STUDY:
            assert similarity[one][other] == similarity[other][one]
    assert similarity["bn"]["hi"] > similarity["bn"]["en"] > similarity["bn"]["sw"]


def test_dials_vary_syntax_and_overlap_apart():
    only_syntax = world.World(world.Settings(lexicon="equal")).truth()
    assert pair_values(only_syntax["syntactic_similarity"]).std() > 0.1
    assert pair_values(only_syntax["lexical_overlap"]).std() < 1e-9
    only_words = world.World(world.Settings(syntax="shared", lexicon="drawn")).truth()
    assert set(pair_values(only_words["syntactic_similarity"])) == {1.0}
    assert pair_values(only_words["lexical_overlap"]).std() > 0.1


def test_overlap_counts_words_written_alike(made):
    english, german = (made.languages[code].lexicon for code in ("en", "de"))
    shared = set(english.words.values()) & set(german.words.values())
    assert lexicons.overlap(english, german) == len(shared) / len(lexicons.CONCEPTS)


def test_words_of_a_language_are_all_different(made):
    for language in made.languages.values():
        words = [*language.lexicon.words.values(), *made.names]
        assert len(set(words)) == len(words)


def test_languages_say_the_same_in_their_own_order(made):
    cue = {
        c.word_class: c
        for c in lexicons.CUES
        if (c.entity_type, c.pair, c.rank) == ("PER", 0, 0.25)
    }
    clause = Clause(
        NounPhrase("Subject", cue["adjective"]),
        cue["object"],
        NounPhrase("Object"),
        (cue["adposition"], NounPhrase("Oblique")),
        negated=True,
    )
    expected = {
        "en": "adjective Subject not object Object adposition Oblique",
        "hi": "adjective Subject Object Oblique adposition not object",
        "fi": "adjective Subject not object Object Oblique adposition",
        "ar": "not object Subject adjective Object adposition Oblique",
        "sw": "Subject adjective prefix-object Object adposition Oblique",
        "bn": "adjective Subject Object Oblique adposition object not",
    }
    for code, order in expected.items():
        language = made.languages[code]
        word = {word_class: language.lexicon[concept] for word_class, concept in cue.items()}
        word["not"] = language.lexicon[lexicons.FUNCTIONS[0]]
        word["prefix-object"] = language.lexicon.affixes["negation"] + word["object"]
        assert language.clause(clause) == [word.get(name, name) for name in order.split()], code


def test_names_say_nothing_about_their_type(made):
    counts: dict[str, list[str]] = {}
    for row in made.panx("en", "train", 3000):
        for span in row["spans"]:
            kind, name = span.split(": ")
            counts.setdefault(name, []).append(kind)
    for kinds in counts.values():
        assert set(kinds) == {"PER", "LOC", "ORG"}


def test_panx_tags_agree_with_spans(made):
    for code in languages.STUDY:
        for row in made.panx(code, "test", 50):
            tagged = zip(row["tokens"], row["tags"], strict=True)
            assert row["spans"] == [f"{tag[2:]}: {token}" for token, tag in tagged if tag != "O"]
            assert 2 <= len(row["spans"]) <= 3


def test_answers_lie_where_they_say(made):
    for code in languages.TYDIQA:
        for row in made.tydiqa(code, "validation", 50):
            (answer,), (start,) = row["answers"]["text"], row["answers"]["answer_start"]
            assert row["context"][start:].startswith(answer)
            assert row["id"].startswith(languages.TYDIQA_NAMES[code])


def test_inferences_are_parallel_and_balanced(made):
    rows = list(made.xnli("test", 300))
    english = list(made.multi_nli("test", 300))
    for row, single in zip(rows, english, strict=True):
        assert (row["premise"]["en"], row["label"]) == (single["premise"], single["label"])
        assert set(row["hypothesis"]) == set(languages.XNLI)
    assert np.bincount([row["label"] for row in rows]).tolist() == [100, 100, 100]


def test_a_world_is_written_once_and_reads_as_official_data(tmp_path, made):
    import seqio

    out = tmp_path / "world"
    assert world.write(made.settings, out, QUIET)
    source = seqio.TfdsDataSource("wikiann/sw:1.0.0", tfds_data_dir=str(out))
    rows = list(source.get_dataset("test", shuffle=False).as_numpy_iterator())
    tokens = [[token.decode() for token in row["tokens"]] for row in rows]
    assert tokens == [row["tokens"] for row in made.panx("sw", "test", len(rows))]
    vocabulary = seqio.SentencePieceVocabulary(
        str(out / "sample_vocabulary" / "sentencepiece.model"), extra_ids=100
    )
    assert vocabulary.vocab_size == 1300
    text = " ".join(tokens[0])
    assert vocabulary.decode(vocabulary.encode(text)) == text
    assert json.loads((out / "world.json").read_text())["languages"]["bn"]["script"] == "Bengali"

    assert not world.write(made.settings, out, QUIET)
    with pytest.raises(DataError, match="seed 0 and not 1"):
        world.write(world.Settings(seed=1, size="small"), out, QUIET)


def test_the_same_seed_gives_the_same_bytes(tmp_path, made):
    for name in ("one", "other"):
        world.write(made.settings, tmp_path / name, QUIET)
    files = sorted(p for p in (tmp_path / "one").rglob("*") if p.is_file())
    assert len(files) > 50
    for file in files:
        twin = tmp_path / "other" / file.relative_to(tmp_path / "one")
        # TFDS notes the folder in which it wrote.
        if file.suffix not in (".json",):
            assert file.read_bytes() == twin.read_bytes(), file


def test_nothing_is_left_of_an_interrupted_writing(tmp_path, made):
    def stop(name: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.write(made.settings, tmp_path / "world", stop)
    assert list(tmp_path.iterdir()) == []


def test_other_peoples_folders_are_left_alone(tmp_path, made):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(DataError, match="something else than a sample world"):
        world.write(made.settings, tmp_path, QUIET)


@pytest.mark.parametrize(
    "chosen", [{"syntax": "none"}, {"lexicon": "none"}, {"size": "huge"}, {"overlap": (0.9, 0.1)}]
)
def test_settings_off_the_dials_are_refused(chosen):
    with pytest.raises(DataError):
        world.Settings(**chosen)


def test_typology_knows_all_languages_and_names_what_it_does_not():
    names, values = typology.vectors("syntax_knn", world.LANGUAGES)
    assert values.shape == (len(world.LANGUAGES), len(names))
    assert not np.isnan(values).any()
    assert typology.value("en", "S_OBJECT_AFTER_VERB") == 1.0
    with pytest.raises(DataError, match="no language 'xx'"):
        typology.vectors("fam", ["xx"])
    with pytest.raises(DataError, match="no feature set"):
        typology.load("syntax")
