"""Beam search against T5X, against transformers, and against a search without caches."""

import dataclasses
from functools import partial
from typing import Any

import jax
import numpy as np
import pytest

from mt5x import decoding
from mt5x.model import Transformer
from tests.mt5x import make_huggingface_golden
from tests.mt5x.make_huggingface_golden import STORED_SIZES, random_weights
from tests.mt5x.networks import SMALL, initial_params, logits_of, random_examples, unpacked_batch
from tests.mt5x.stopping import steps_of, stopping
from tests.mt5x.test_huggingface_parity import our_model, our_tree

beam_search = jax.jit(decoding.beam_search, static_argnums=(0, 3, 4, 5, 6))
greedy = jax.jit(decoding.greedy_decode, static_argnums=(0, 3, 4))


def sources(seed: int, count: int = 5) -> np.ndarray:
    return unpacked_batch(random_examples(seed, count, 9, 3), 9, 3)["encoder_input_tokens"]


@pytest.mark.parametrize("beams", [1, 4])
def test_ids_and_scores_equal_t5x(unpacked_golden, beams):
    golden = unpacked_golden
    source = golden.batch["encoder_input_tokens"]
    ids, scores = beam_search(golden.model, golden.tree("params_step0"), source, 12, beams)
    expected = golden.arrays[f"beam{beams}_ids"]
    np.testing.assert_array_equal(ids, expected.reshape(ids.shape))
    expected_scores = golden.arrays[f"beam{beams}_scores"].reshape(scores.shape)
    np.testing.assert_allclose(scores, expected_scores, atol=1e-4)


def written_out(
    model: Transformer,
    params: Any,
    source: list[int],
    length: int,
    beams: int,
    alpha: float,
    eos: int,
) -> list[tuple[float, list[int]]]:
    """T5X's search of one source with Python's lists, the whole decoder run for each token."""
    live: list[tuple[float, list[int]]] = [(0.0, [])]
    finished: list[tuple[float, list[int]]] = []
    for position in range(length):
        inputs = np.zeros((beams, length), np.int32)
        for row, (_, ids) in enumerate(live):
            inputs[row, 1 : 1 + position] = ids
        features = {
            "encoder_input_tokens": np.tile(np.array(source, np.int32), (beams, 1)),
            "decoder_input_tokens": inputs,
            # Says that every position is real.
            "decoder_target_tokens": np.ones((beams, length), np.int32),
        }
        logits = logits_of(model, params, features)[:, position]
        log_probs = np.asarray(jax.nn.log_softmax(logits))
        grown = [
            (score + float(log_probs[row, token]), [*ids, token])
            for row, (score, ids) in enumerate(live)
            for token in range(log_probs.shape[1])
        ]
        grown = sorted(grown, key=lambda one: -one[0])[: 2 * beams]
        live = [one for one in grown if one[1][-1] != eos][:beams]
        ended = [
            (score / ((5 + position + 1) / 6) ** alpha, ids)
            for score, ids in grown
            if ids[-1] == eos
        ]
        finished = sorted([*finished, *ended], key=lambda one: -one[0])[:beams]
        best_live = live[0][0] / ((5 + length + 1) / 6) ** alpha
        if len(finished) == beams and finished[-1][0] > best_live:
            break
    return finished or live


@pytest.mark.parametrize(("beams", "alpha"), [(1, 0.6), (3, 0.6), (3, 0.0), (4, 1.0)])
def test_neither_caches_nor_batches_change_anything(small, beams, alpha):
    model, params = small
    source, length = sources(0), 7
    free, _ = greedy(model, params, source, length, 1)
    # An end token that this model does write, so that hypotheses end at different places.
    eos = int(np.bincount(np.asarray(free).ravel(), minlength=SMALL.vocab_size)[1:].argmax()) + 1
    ids, scores = beam_search(model, params, source, length, beams, alpha, eos)
    some_ended = 0
    for row in range(len(source)):
        expected = written_out(model, params, source[row].tolist(), length, beams, alpha, eos)
        for place, (score, tokens) in enumerate(expected):
            np.testing.assert_allclose(scores[row, beams - 1 - place], score, atol=1e-4)
            padded = tokens + [0] * (length - len(tokens))
            assert np.asarray(ids)[row, beams - 1 - place].tolist() == padded
        empty = beams - len(expected)
        assert (np.asarray(scores)[row, :empty] == decoding.NO_DECODE).all()
        assert (np.asarray(ids)[row, :empty] == 0).all()
        some_ended += expected[0][1][-1] == eos
    assert some_ended


def test_a_wide_beam_finds_the_best_of_all_decodes():
    """With as many beams as there are hypotheses the search is exhaustive."""
    model = Transformer(dataclasses.replace(SMALL, vocab_size=6))
    params = initial_params(model, seed=3)
    source = np.array([[3, 4, 1]], np.int32)
    length, eos = 3, 1
    ids, scores = beam_search(model, params, source, length, 36, 0.0, eos)
    best: dict[tuple[int, ...], float] = {}
    decoded: tuple[int, ...]
    for code in range(6**length):
        tokens = [code // 36, code // 6 % 6, code % 6]
        if eos not in tokens:
            continue
        tokens = tokens[: tokens.index(eos) + 1]
        features = {
            "encoder_input_tokens": source,
            "decoder_input_tokens": np.array([[0, *tokens[:-1], *[0] * (length - len(tokens))]]),
            "decoder_target_tokens": np.ones((1, length), np.int32),
        }
        if tuple(tokens) not in best:
            log_probs = np.asarray(jax.nn.log_softmax(logits_of(model, params, features)))[0]
            best[tuple(tokens)] = float(sum(log_probs[i, t] for i, t in enumerate(tokens)))
    ranked = sorted(best.items(), key=lambda one: -one[1])[:5]
    for place, (decoded, score) in enumerate(ranked):
        np.testing.assert_allclose(scores[0, -1 - place], score, atol=1e-4)
        assert np.asarray(ids)[0, -1 - place].tolist() == [*decoded, *[0] * (length - len(decoded))]


def test_scores_increase_and_are_those_of_the_tokens(small):
    model, params = small
    source = sources(1)
    ids, scores = map(np.asarray, beam_search(model, params, source, 6, 4, 0.6, 1))
    assert (np.diff(scores, axis=1) >= 0).all()
    for beam in range(4):
        targets = ids[:, beam]
        features = {
            "encoder_input_tokens": source,
            "decoder_input_tokens": np.pad(targets[:, :-1], [(0, 0), (1, 0)]),
            "decoder_target_tokens": np.ones_like(targets),
        }
        log_probs = np.asarray(jax.nn.log_softmax(logits_of(model, params, features)))
        of_tokens = np.take_along_axis(log_probs, targets[..., None], axis=-1)[..., 0]
        total = (of_tokens * (targets > 0)).sum(axis=1)
        real = scores[:, beam] > decoding.NO_DECODE / 2
        assert real.any()
        expected = total / np.asarray(decoding.brevity_penalty(targets))
        np.testing.assert_allclose(scores[real, beam], expected[real], atol=1e-4)


def test_a_row_of_padding_has_no_decodes_and_delays_nobody(small):
    model, params = small
    source = np.concatenate([sources(2), np.zeros((3, 9), np.int32)])
    ids, scores = map(np.asarray, beam_search(model, params, source, 6, 2))
    assert (ids[5:] == 0).all()
    assert (scores[5:] == decoding.NO_DECODE).all()
    alone, alone_scores = beam_search(model, params, source[:5], 6, 2)
    np.testing.assert_array_equal(ids[:5], alone)
    np.testing.assert_allclose(scores[:5], alone_scores, atol=1e-5)
    _, steps = steps_of(beam_search, stopping(model, 3), params, source, 6, 2)
    assert steps == 3
    _, steps = steps_of(beam_search, stopping(model, 3), params, 0 * source, 6, 2)
    assert steps == 0


@pytest.mark.parametrize(("beams", "end"), [(1, 1), (1, 4), (4, 4)])
def test_it_stops_when_no_live_hypothesis_can_win(small, beams, end):
    model, params = small
    (ids, _), steps = steps_of(beam_search, stopping(model, end), params, sources(3), 30, beams)
    assert steps == end
    assert (np.asarray(ids)[:, :, end - 1] == 1).all()
    assert not np.asarray(ids)[:, :, end:].any()


@pytest.mark.parametrize("seed", range(2))
def test_transformers_finds_the_same(seed):
    """With alpha 0 both score by the log-probability and grow the same live hypotheses.

    transformers passes over an end token that ranks below the beams, T5X does not: its best decode
    may then be better than theirs, and never worse.
    """
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    sizes = {**STORED_SIZES, "num_decoder_layers": 2}
    weights = random_weights(sizes, seed)
    peer = make_huggingface_golden.new_model(sizes)
    with torch.no_grad():
        for name, parameter in peer.named_parameters():
            parameter.copy_(torch.from_numpy(weights[name]))
    source = unpacked_batch(random_examples(seed, 48, 9, 3, 32), 9, 3)["encoder_input_tokens"]
    model, params = our_model(sizes), our_tree(weights)
    length, beams = 12, 4
    free = np.asarray(greedy(model, params, source, length, 1)[0])
    eos = make_huggingface_golden._dividing_token(free)
    ids, scores = map(np.asarray, beam_search(model, params, source, length, beams, 0.0, eos))
    ids, scores = ids[:, -1], scores[:, -1]
    generated = peer.generate(
        input_ids=torch.from_numpy(source).long(),
        attention_mask=torch.from_numpy(source > 0).long(),
        num_beams=beams,
        max_new_tokens=length,
        length_penalty=0.0,
        eos_token_id=eos,
        pad_token_id=0,
        do_sample=False,
        output_scores=True,
        return_dict_in_generate=True,
    )
    their_ids = np.zeros_like(ids)
    sequences = generated.sequences[:, 1:].numpy()
    their_ids[:, : sequences.shape[1]] = sequences
    # It fills up with end tokens where the padding is 0.
    after_end = np.cumsum(their_ids == eos, axis=1) - (their_ids == eos) > 0
    their_ids[after_end] = 0
    their_scores = generated.sequences_scores.numpy()
    ended, theirs_ended = (ids == eos).any(axis=1), (their_ids == eos).any(axis=1)
    # Where nothing ended, both return the best live hypothesis.
    assert (~ended).sum() >= 8
    np.testing.assert_array_equal(ids[~ended], their_ids[~ended])
    np.testing.assert_allclose(scores[~ended], their_scores[~ended], atol=1e-4)
    both = ended & theirs_ended
    assert (scores[both] > their_scores[both] - 1e-4).all()
    same = both & (np.abs(scores - their_scores) < 1e-4)
    np.testing.assert_array_equal(ids[same], their_ids[same])
    assert len({int((row > 0).sum()) for row in ids[same]}) > 1


def test_beams_over_eight_devices_are_the_same(small):
    model, params = small
    source = sources(4, count=8)
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
    ids, scores = beam_search(model, params, jax.device_put(source, rows), 6, 3)
    expected, expected_scores = beam_search(model, params, source, 6, 3)
    np.testing.assert_array_equal(ids, expected)
    np.testing.assert_allclose(scores, expected_scores, atol=1e-5)


def test_the_source_is_not_copied_for_the_beams(small):
    """Keys and values of the source are held once a row, whatever the number of beams."""
    model, params = small
    source = np.ones((2, 512), np.int32)
    compiled = partial(jax.jit, static_argnums=(0, 3, 4))(decoding.beam_search)
    text = compiled.lower(model, params, source, 4, 7).compile().as_text()
    heads, head_dim = SMALL.num_heads, SMALL.head_dim
    assert text is not None
    assert f"f32[2,{heads},512,{head_dim}]" in text
    for copied in (f"f32[14,{heads},512,{head_dim}]", f"f32[2,7,{heads},512,{head_dim}]"):
        assert copied not in text
