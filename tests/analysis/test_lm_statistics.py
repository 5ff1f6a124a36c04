"""LM statistics against a slow implementation: one example at a time, no cache, no batch."""

import jax
import numpy as np
import pytest
from flax import linen as nn

from analysis import hidden_text, lm_job
from analysis.lm_statistics import LmStatistics, measure
from mt5x import partitioning
from mt5x.input_pipeline import EvaluationExamples
from mt5x.model import T5Config, Transformer

INPUT, TARGET, EOS, VOCABULARY = 12, 8, 1, 13
# The end token and two sentinels; what the others are written as.
MARKS = (EOS, 11, 12)
PIECES = {token: "é" * (1 + token % 3) for token in range(2, 11)}


@pytest.fixture(scope="module")
def model():
    return Transformer(
        T5Config(
            vocab_size=VOCABULARY,
            emb_dim=16,
            num_heads=2,
            head_dim=8,
            num_encoder_layers=1,
            num_decoder_layers=1,
            mlp_dim=24,
            dropout_rate=0.0,
        )
    )


@pytest.fixture(scope="module")
def params(model):
    ids = np.ones((1, 4), np.int32)
    boxed = jax.jit(lambda key: model.init(key, ids, ids, ids, enable_dropout=False))(
        jax.random.key(3)
    )
    return nn.meta.unbox(boxed)["params"]


@pytest.fixture(scope="module")
def logits(model, params):
    """(input ids, decoder input ids) -> logits, padded to one shape so that it compiles once."""

    forward = jax.jit(
        lambda source, so_far: model.apply(
            {"params": params}, source, so_far, np.ones((1, 9), np.int32), enable_dropout=False
        )
    )

    def apply(inputs, so_far):
        batch = [np.pad(ids, (0, n - len(ids)))[None] for ids, n in ((inputs, INPUT), (so_far, 9))]
        return np.asarray(forward(*batch)[0, : len(so_far)], np.float64)

    return apply


def greedy(logits, inputs):
    decoded: list[int] = []
    while len(decoded) < TARGET:
        decoded.append(int(logits(inputs, np.array([0, *decoded]))[-1].argmax()))
        if decoded[-1] == EOS:
            break
    return decoded


@pytest.fixture(scope="module")
def examples(logits):
    """Random references, and among them what the model itself would write: whole hits."""
    rng = np.random.default_rng(0)
    inputs, targets = [], []
    for number in range(11):
        ids = np.append(rng.integers(2, VOCABULARY, rng.integers(3, INPUT)), EOS).astype(np.int32)
        inputs.append(ids)
        if number % 3 == 0:
            targets.append(np.array(greedy(logits, ids), np.int32))
        else:
            length = rng.integers(1, TARGET)
            targets.append(np.append(rng.integers(2, VOCABULARY, length), EOS).astype(np.int32))
    return inputs, targets


@pytest.fixture(scope="module")
def batches(examples):
    inputs, targets = examples
    lengths = {"inputs": INPUT, "targets": TARGET}
    return list(lm_job.batches(inputs, targets, lengths, 8, MARKS))


class Pieces:
    """A vocabulary of pieces whose letters have two bytes each."""

    def decode(self, ids: list[int]) -> str:
        return "".join(PIECES[token] for token in ids)


def slow(logits, inputs, targets):
    nll, exact, hits, tokens, forced = 0.0, 0, 0, 0, 0
    text_nll = characters = 0.0
    for ids, reference in zip(inputs, targets, strict=True):
        rows = logits(ids, np.array([0, *reference[:-1]]))
        for row, token in zip(rows, reference, strict=True):
            one = np.log(np.exp(row - row.max()).sum()) + row.max() - row[token]
            nll += one
            forced += int(row.argmax() == token)
            if token not in MARKS:
                text_nll += one
                characters += len(PIECES[token])
        decoded = greedy(logits, ids) + [0] * TARGET
        met = [x == s for x, s in zip(decoded, reference, strict=False)]
        exact += all(met)
        hits += sum(met)
        tokens += len(reference)
    return {
        "lm_nll": nll / tokens,
        "lm_em": 100 * exact / len(inputs),
        "lm_token_em": 100 * hits / tokens,
        "lm_perplexity": np.exp(nll / tokens),
        "lm_nll_per_char": text_nll / characters,
        "lm_nll_per_byte": text_nll / (2 * characters),
        "lm_teacher_forced_em": 100 * forced / tokens,
        "lm_tokens": tokens,
        "lm_characters": characters,
        "lm_bytes": 2 * characters,
        "lm_documents": len(inputs),
    }


def test_equal_to_the_slow_implementation(model, params, logits, examples, batches):
    inputs, targets = examples
    statistics = hidden_text.counted(
        measure(model, params, batches), EvaluationExamples(inputs, targets, []), Pieces(), MARKS
    )
    expected = slow(logits, *examples)
    assert 0 < expected["lm_em"] < 100  # Both outcomes occur, or the test shows little.
    assert expected["lm_token_em"] > expected["lm_em"] / 2
    assert statistics.metrics() == pytest.approx(expected, abs=1e-6)
    assert statistics.num_examples == len(examples[0])


def test_the_same_over_several_devices(model, params, batches):
    mesh = partitioning.make_mesh(4, 1)
    seen: list[int] = []
    spread = measure(model, params, batches, mesh, seen.append)
    alone = measure(model, params, batches)
    assert spread.metrics() == pytest.approx(alone.metrics(), abs=1e-6)
    assert sum(seen) == 11


def test_rows_of_padding_are_not_counted(model, params, batches):
    padding = {name: np.zeros_like(array) for name, array in batches[0].items()}
    statistics = measure(model, params, [*batches, padding])
    assert statistics.metrics() == measure(model, params, batches).metrics()


def test_packed_or_empty_input_is_refused(model, params, batches):
    with pytest.raises(ValueError, match="packed"):
        measure(model, params, [{**batches[0], "decoder_segment_ids": np.ones((8, TARGET))}])
    with pytest.raises(ValueError, match="no sequence"):
        measure(model, params, [])


def counts(**changes) -> LmStatistics:
    fields = {
        "nll": [2.0, 6.0], "tokens": [2, 6], "hits": [2, 3], "forced_hits": [2, 4],
        "text_nll": [1.0, 5.0], "characters": [4, 2], "bytes": [4, 8], "documents": [0, 1],
    }  # fmt: skip
    return LmStatistics(**{name: np.array(one) for name, one in {**fields, **changes}.items()})


def test_the_definitions_by_hand():
    assert counts().metrics() == {
        "lm_nll": 1.0, "lm_perplexity": pytest.approx(np.e), "lm_nll_per_char": 1.0,
        "lm_nll_per_byte": 0.5, "lm_em": 50.0, "lm_token_em": 62.5, "lm_teacher_forced_em": 75.0,
        "lm_tokens": 8.0, "lm_documents": 2.0, "lm_characters": 6.0, "lm_bytes": 12.0,
    }  # fmt: skip


def test_without_text_there_is_nothing_per_character():
    bare = LmStatistics(*(np.array(one) for one in ([2.0], [2], [2], [2], [1.0])))
    assert set(bare.metrics()) == {
        "lm_nll", "lm_perplexity", "lm_em", "lm_token_em", "lm_teacher_forced_em", "lm_tokens",
        "lm_documents",
    }  # fmt: skip
    assert bare.intervals() == {}
    empty = counts(characters=[0, 0], bytes=[0, 0])
    assert "lm_nll_per_char" not in {**empty.metrics(), **empty.intervals()}


def test_sequences_of_one_document_are_drawn_together():
    rng = np.random.default_rng(1)
    level = np.repeat(rng.normal(0, 1, 40), 25)
    fields = {
        "nll": 30 + 10 * level, "text_nll": 20 + 5 * level, "tokens": np.full(1000, 10),
        "hits": rng.integers(0, 11, 1000), "forced_hits": rng.integers(0, 11, 1000),
        "characters": np.full(1000, 20), "bytes": np.full(1000, 25),
    }  # fmt: skip
    apart = counts(**fields, documents=np.arange(1000)).intervals()
    together = counts(**fields, documents=np.repeat(np.arange(40), 25)).intervals()

    def width(found):
        return found["lm_nll:high"] - found["lm_nll:low"]

    # 25 sequences that say the same are worth one.
    assert width(together) == pytest.approx(5 * width(apart), rel=0.2)
    assert together["lm_nll:low"] < fields["nll"].mean() / 10 < together["lm_nll:high"]
    assert together == counts(**fields, documents=np.repeat(np.arange(40), 25)).intervals()


@pytest.mark.slow
def test_the_interval_covers():
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(1000):
        level = np.repeat(rng.gamma(4, 1, 60), 5)
        one = {"nll": level * 10, "tokens": np.full(300, 10), "documents": np.repeat(range(60), 5)}
        rest = dict.fromkeys(("hits", "forced_hits", "characters", "bytes"), np.full(300, 5))
        found = counts(**one, **rest, text_nll=level).intervals(seed=trial, resamples=400)
        covered += found["lm_nll:low"] <= 4 <= found["lm_nll:high"]
    assert 0.92 < covered / 1000 < 0.98


def test_part_is_a_part_of_all():
    part = counts().part(1, 2)
    assert part.metrics()["lm_nll"] == 1.0
    assert part.metrics()["lm_characters"] == 2.0
