"""Pure step functions, compiled once per (model, mesh) and shared by all jobs of a process."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from mt5x import (
    accumulation,
    decoding,
    embedding,
    freezing,
    norms,
    partitioning,
    scoring,
    used_rows,
)
from mt5x.model.stack import compiler_options
from mt5x.models import EncoderDecoderModel
from mt5x.train_state import TrainState, state_shardings

Batch = Mapping[str, jax.Array]
Metrics = dict[str, tuple[jax.Array, jax.Array]]


@functools.lru_cache(maxsize=16)
def train_step(
    model: EncoderDecoderModel, mesh: Mesh, num_microbatches: int = 1
) -> Callable[..., Any]:
    """Returns step(state, batch, dropout_key, learning_rate) -> (state, metrics).

    The metrics are the loss's, and the norms of gradient, parameters and update. The dropout key
    of a step is derived from the state's step, so a resumed run draws the masks that the
    uninterrupted one would have drawn. The state's buffers are donated. A batch is taken in
    `num_microbatches` parts, one after another, as if it were whole.
    """

    def step(
        state: TrainState, batch: Batch, key: jax.Array, learning_rate: jax.Array
    ) -> tuple[TrainState, Metrics]:
        dropout_rng = jax.random.fold_in(key, state.step)
        params, rows_used = state.params, None
        with partitioning.on_mesh(mesh):
            if used_rows.worth(model, used_rows.ids_of(batch)):
                params, batch, rows_used = used_rows.of_batch(params, batch)
            grads, metrics = accumulation.gradients(
                model, params, batch, dropout_rng, num_microbatches, place_like_params
            )
            if rows_used is not None:
                grads = used_rows.in_the_table(grads, rows_used)
        trained, frozen = freezing.split(state.params, model.freeze)
        with partitioning.on_mesh(mesh):
            trained, opt_state, squares = model.optimizer_def.measured_update(
                grads, state.opt_state, trained, learning_rate
            )
        metrics |= norms.of_step(squares, frozen)
        return TrainState(freezing.joined(trained, frozen), opt_state), metrics

    state, whole = state_shardings(model, mesh), partitioning.replicated(mesh)
    rows = partitioning.batch_sharding(mesh)
    trained_places, _ = freezing.split(state.params, model.freeze)

    def place_like_params(grads: Any) -> Any:
        return jax.lax.with_sharding_constraint(grads, trained_places) if mesh.size > 1 else grads

    return jax.jit(
        step,
        in_shardings=(state, rows, whole, whole),
        out_shardings=(state, whole),
        donate_argnums=0,
        compiler_options=compiler_options(model.module.config, mesh.devices.flat[0].platform),
    )


@functools.lru_cache(maxsize=16)
def eval_step(model: EncoderDecoderModel, mesh: Mesh) -> Callable[..., Metrics]:
    """Returns step(params, batch) -> metrics, teacher-forced and without dropout."""

    def step(params: Any, batch: Batch) -> Metrics:
        return model.loss_fn(params, batch, None)[1]

    return _jit_over_rows(step, model, mesh)


@functools.lru_cache(maxsize=16)
def decode_step(
    model: EncoderDecoderModel, mesh: Mesh, config: decoding.DecodeConfig
) -> Callable[..., decoding.Decodes]:
    """Returns step(params, batch, key) -> decodes; `config` has a length and no seed.

    The batch is {'tokens': int32 [b, s], 'rows': int32 [b], each row's place in the input}.
    """

    def step(params: Any, batch: Batch, key: jax.Array) -> decoding.Decodes:
        return decoding.decode(model.module, params, batch["tokens"], config, key, batch["rows"])

    return _jit_over_rows(step, model, mesh, extra_arguments=1)


@functools.lru_cache(maxsize=16)
def score_step(model: EncoderDecoderModel, mesh: Mesh) -> Callable[..., jax.Array]:
    """Returns step(params, batch) -> log-probability of each row's target, float32 [b].

    The batch is {'tokens': int32 [b, s], 'targets': int32 [b, t] with EOS}, both padded with 0.
    """

    def step(params: Any, batch: Batch) -> jax.Array:
        targets = batch["targets"]
        features = {
            "encoder_input_tokens": batch["tokens"],
            "decoder_input_tokens": jnp.pad(targets[:, :-1], [(0, 0), (1, 0)]),
            "decoder_target_tokens": targets,
        }
        return scoring.score_batch(model.module, params, features)

    return _jit_over_rows(step, model, mesh)


@functools.lru_cache(maxsize=16)
def label_step(model: EncoderDecoderModel, mesh: Mesh) -> Callable[..., jax.Array]:
    """Returns step(params, encoder_input_tokens [b, s], label_ids [n, l], prefixes) -> [b, n].

    The prefixes are `scoring.distinct_prefixes(label_ids)`.
    """

    def step(
        params: Any,
        encoder_input_tokens: jax.Array,
        label_ids: jax.Array,
        prefixes: scoring.Prefixes,
    ) -> jax.Array:
        return scoring.score_labels(model.module, params, encoder_input_tokens, label_ids, prefixes)

    return _jit_over_rows(step, model, mesh, extra_arguments=2)


@functools.lru_cache(maxsize=16)
def embed_step(model: EncoderDecoderModel, mesh: Mesh) -> Callable[..., jax.Array]:
    """Returns step(params, encoder_input_tokens [b, s]) -> vectors [b, emb_dim]."""

    def step(params: Any, encoder_input_tokens: jax.Array) -> jax.Array:
        return embedding.mean_pooled(model.module, params, encoder_input_tokens)

    return _jit_over_rows(step, model, mesh)


def place(batch: Mapping[str, np.ndarray], mesh: Mesh) -> dict[str, jax.Array]:
    """Puts a global batch on the mesh; each process hands over the rows that its devices hold."""
    sharding = partitioning.batch_sharding(mesh)
    if jax.process_count() == 1:
        return jax.device_put(dict(batch), sharding)
    return {
        name: jax.make_array_from_callback(array.shape, sharding, array.__getitem__)
        for name, array in batch.items()
    }


def rows_here(mesh: Mesh, batch_size: int) -> np.ndarray:
    """Which rows of a global batch the devices of this process hold, bool [batch_size]."""
    here = np.zeros(batch_size, bool)
    sharding = partitioning.batch_sharding(mesh)
    for index in sharding.addressable_devices_indices_map((batch_size,)).values():
        here[index] = True
    return here


def merge(totals: Metrics | None, metrics: Metrics) -> Metrics:
    """Adds the (sum, count) pairs of two steps."""
    return metrics if totals is None else jax.tree.map(jnp.add, totals, metrics)


def means(metrics: Metrics) -> dict[str, float]:
    """Reads (sum, count) pairs as means; waits for the device."""
    return {name: float(total) / max(float(count), 1.0) for name, (total, count) in metrics.items()}


def _jit_over_rows(
    step: Callable[..., Any], model: EncoderDecoderModel, mesh: Mesh, extra_arguments: int = 0
) -> Callable[..., Any]:
    def on_mesh(*arguments: Any) -> Any:
        with partitioning.on_mesh(mesh):
            return step(*arguments)

    params = state_shardings(model, mesh).params
    rows, whole = partitioning.batch_sharding(mesh), partitioning.replicated(mesh)
    extra = (whole,) * extra_arguments
    return jax.jit(on_mesh, in_shardings=(params, rows, *extra), out_shardings=whole)
