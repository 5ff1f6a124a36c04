"""The sample world: planted truth, rows that mean what they say, writing whole or not at all."""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from tasks import languages, typology
from tasks.errors import DataError
from tasks.sample_world import datasets, grammars, lexicons, skills, world, writing
from tasks.sample_world.meanings import Clause, NounPhrase

QUIET = lambda name, done, total: None  # noqa: E731


@pytest.fixture(scope="module")
def made() -> world.World:
    return world.World(world.Settings(size="small"))


@pytest.fixture(scope="module")
def written(made: world.World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the same world."""
    out: Path = tmp_path_factory.mktemp("made") / "world"
    writing.write(made.settings, out, QUIET)
    return out


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
    assert writing.write(made.settings, out, QUIET)
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

    assert not writing.write(made.settings, out, QUIET)
    with pytest.raises(DataError, match="seed 0 and not 1"):
        writing.write(world.Settings(seed=1, size="small"), out, QUIET)


def test_the_same_seed_gives_the_same_bytes(tmp_path, made):
    for name in ("one", "other"):
        writing.write(made.settings, tmp_path / name, QUIET)
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
        writing.write(made.settings, tmp_path / "world", stop)
    assert list(tmp_path.iterdir()) == []


def test_other_peoples_folders_are_left_alone(tmp_path, made):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(DataError, match="something else than a sample world"):
        writing.write(made.settings, tmp_path, QUIET)


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


def test_a_world_of_an_older_version_is_named(tmp_path):
    (tmp_path / "world").mkdir()
    old = {"settings": dataclasses.asdict(world.Settings(size="small"))}
    (tmp_path / "world" / "world.json").write_text(json.dumps(old))
    with pytest.raises(DataError, match="of another version of mt5x"):
        writing.write(world.Settings(size="small"), tmp_path / "world", QUIET)


def rows_of(made: world.World, name: str, split: str) -> list[dict]:
    return list(dict(datasets.datasets(made))[name][split])


def test_unanswerable_questions_ask_for_what_is_not_there(made):
    english = made.languages["en"]
    types = {english.lexicon[kind]: kind.entity_type for kind in lexicons.KINDS}
    entities = {
        english.lexicon[cue]: cue.entity_type for cue in lexicons.CUES if cue.word_class != "kind"
    }
    rows = rows_of(made, "squad/v2.0:3.0.0", "train")
    assert [row["is_impossible"] for row in rows[:6]] == [True, False, False] * 2
    for row in rows:
        wanted = types[row["question"].split()[1]]
        there = [kind for word, kind in entities.items() if word in row["context"].split()]
        if row["is_impossible"]:
            assert wanted not in there
            assert row["answers"] == {"text": [], "answer_start": []}
        else:
            (answer,), (start,) = row["answers"]["text"], row["answers"]["answer_start"]
            assert row["context"][start:].startswith(answer)


def test_the_right_choice_is_right_and_the_only_one(made):
    for row in rows_of(made, "cosmos_qa:1.0.0", "train"):
        names = [row[f"answer{n}"] for n in range(4)]
        assert len(set(names)) == 4
        assert names[row["label"]] in row["context"].split()
    for row in rows_of(made, "hellaswag:1.1.0", "train"):
        assert len(set(row["endings"])) == 4
        said = {word for word in row["endings"][row["label"]].split() if word != "."}
        told = row["context"]
        # Affixes aside, every word of the right ending was told.
        assert all(word in told for word in said)
    types = {made.languages["en"].lexicon[cue]: cue.entity_type for cue in lexicons.CUES}
    for row in rows_of(made, "commonsense_qa:1.11.0", "train"):
        wanted = types[row["question_concept"]]
        fitting = [word for word in row["choices"]["text"] if types[word] == wanted]
        assert fitting == [row["choices"]["text"]["ABCDE".index(row["answerKey"])]]


def test_every_word_has_a_category(made):
    names = set(made.names)
    for row in rows_of(made, "ccgbank:1.0.0", "train"):
        tagged = list(zip(row["tokens"], row["tags"], strict=True))
        assert all((tag == "N") == (token in names) for token, tag in tagged)
        assert tagged[-1] == (".", ".")


def test_what_is_parallel_says_the_same(made):
    english = rows_of(made, "xquad/en:3.0.0", "test")
    hindi = rows_of(made, "xquad/hi:3.0.0", "test")
    assert [row["answers"]["text"] for row in english] == [row["answers"]["text"] for row in hindi]
    assert english[0]["context"] != hindi[0]["context"]
    rows = rows_of(made, "bucc_mining/de:1.0.0", "test")
    by_id = {row["id"]: row for row in rows}
    paired = [row for row in rows if row["pair"]]
    assert len(by_id) == len(rows)
    assert len(paired) == len(rows) / 2
    for row in paired:
        other = by_id[row["pair"]]
        assert (other["pair"], other["side"] == row["side"]) == (row["id"], False)
        # Names are written alike everywhere.
        assert names_in(made, row["sentence"]) == names_in(made, other["sentence"])
    said = [row["target_sentence"] for row in rows_of(made, "tatoeba/tatoeba_de:1.0.0", "train")]
    assert len(set(said)) == len(said)


def names_in(made: world.World, sentence: str) -> set[str]:
    return set(sentence.split()) & set(made.names)


def of_xtreme(made: world.World) -> dict[str, tuple[list[dict], list[dict]]]:
    """Each translated training set's rows, and those in English that they translate."""
    found = {}
    for code in languages.PAWSX:
        if code != "en":
            rows = rows_of(made, f"xtreme_pawsx/{code}:1.0.0", "train")
            found[f"pawsx {code}"] = rows, rows_of(made, "paws_x_wiki/en:1.0.0", "train")
    for code in languages.TYDIQA:
        if code != "en":
            rows = rows_of(made, "tydi_qa/goldp:3.0.0", f"translate-train-{code}")
            own = rows_of(made, "tydi_qa/goldp:3.0.0", "train")
            found[f"tydiqa {code}"] = rows, [x for x in own if x["id"].startswith("english-")]
    for code in languages.of("xquad"):
        if code != "en":
            for split, translated in (
                ("train", "translate-train"),
                ("validation", "translate-dev"),
            ):
                rows = rows_of(made, f"xquad/{code}:3.0.0", translated)
                found[f"squad1 {code} {split}"] = rows, rows_of(made, "squad/v1.1:3.0.0", split)
    return found


def test_translated_training_rows_are_the_english_ones_in_another_language(made):
    found = of_xtreme(made)
    assert len(found) == 6 + 8 + 2 * 10
    for name, (rows, english) in found.items():
        assert len(rows) == len(english), name
        for row, original in zip(rows, english, strict=True):
            if "label" in row:
                assert row["label"] == original["label"]
                texts = ("sentence1", "sentence2")
            else:
                assert (row["id"], row["answers"]["text"]) == (
                    original["id"], original["answers"]["text"],
                )  # fmt: skip
                (answer,), (start,) = row["answers"]["text"], row["answers"]["answer_start"]
                assert row["context"][start:].startswith(answer)
                texts = ("context", "question")
            for text in texts:
                # Names are written alike everywhere.
                assert names_in(made, row[text]) == names_in(made, original[text])
        alike = sum(row[texts[0]] == one[texts[0]] for row, one in zip(rows, english, strict=True))
        # German shares most of its words with English, and so whole sentences.
        assert alike < len(rows) / 2, name


def test_rows_of_other_languages_are_their_own(made):
    """PAWS-X's and TyDiQA's training sets are not XTREME's translations of the English one."""
    for code in ("de", "ko"):
        own = rows_of(made, f"paws_x_wiki/{code}:1.0.0", "train")
        assert own != rows_of(made, f"xtreme_pawsx/{code}:1.0.0", "train")
    own = rows_of(made, "tydi_qa/goldp:3.0.0", "train")
    finnish = {row["context"] for row in own if row["id"].startswith("finnish-")}
    translated = rows_of(made, "tydi_qa/goldp:3.0.0", "translate-train-fi")
    assert len(finnish & {row["context"] for row in translated}) < 0.1 * len(translated)


def test_xquad_in_english_is_what_it_is_translated_to(made):
    english = rows_of(made, "xquad/en:3.0.0", "test")
    for code in ("hi", "zh"):
        assert rows_of(made, f"xquad/{code}:3.0.0", "translate-test") == english


def test_rows_that_were_there_stay_as_they_were(made):
    """Scores that are told of the sample world are of these rows: change them knowingly."""
    digests = {}
    for name, splits in datasets.datasets(made):
        for split, rows in splits.items():
            text = json.dumps(list(rows), ensure_ascii=False, sort_keys=True)
            digests[f"{name} {split}"] = hashlib.sha256(text.encode()).hexdigest()
    later = {key for key in digests if "translate-" in key or key.startswith("xtreme_pawsx/")}
    assert len(later) == 8 + 3 * 10 + 6
    before = json.dumps({key: digests[key] for key in sorted({*digests} - later)})
    assert len(digests) - len(later) == 190
    assert hashlib.sha256(before.encode()).hexdigest()[:16] == "f7de864d5b3e1d6a"


@pytest.mark.parametrize(
    ("mixture", "count"),
    [
        ("xnli_translate_train", 15), ("pawsx_translate_train", 7), ("tydiqa_translate_train", 9),
        ("xquad_translate_train", 11), ("mlqa_translate_train", 7),
    ],
)  # fmt: skip
def test_the_mixtures_with_translations_train(mixture, count, written, monkeypatch):
    import seqio

    monkeypatch.setenv("TFDS_DATA_DIR", str(written))
    found = seqio.get_mixture_or_task(mixture)
    trained = [task for task in seqio.get_subtasks(found) if "train" in task.splits]
    assert len(trained) == count
    for task in trained:
        rows = task.source.get_dataset("train", shuffle=False).take(2).as_numpy_iterator()
        assert len(list(rows)) == 2, task.name


def test_what_is_shared_is_said_of_tasks_that_exist(made):
    from tasks.definitions import DATA_SETS

    for task, targets in skills.SHARED.items():
        assert task == "anli_plus" or task in DATA_SETS
        assert all(target in DATA_SETS for target in targets)
