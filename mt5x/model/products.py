"""The product of activations with a kernel, with gradients that the CPU computes well."""

import jax
import jax.numpy as jnp
from jax import lax

from mt5x import target

Array = jax.Array


@jax.custom_vjp
def product(x: Array, kernel: Array) -> Array:
    """`[..., n] x [n, m] -> [..., m]`, as `jnp.dot`.

    XLA's CPU backend turns the left factor of a kernel's gradient round. In JAX's own gradient
    that is the one that arrives, and whatever it is computed from is computed once more, against
    the order of the memory; here it is the activations. (A third of a feed-forward block's step.)
    """
    return jnp.dot(x, kernel)


def _forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    # The product itself, which a `remat_policy` knows, and not a call of the function above.
    return jnp.dot(x, kernel), (x, kernel)


def _backward(factors: tuple[Array, Array], grad: Array) -> tuple[Array, Array]:
    x, kernel = factors
    if target.is_platform("cpu"):
        # Computed once, and not by each of the two products.
        grad = lax.optimization_barrier(grad)
    last, others = x.ndim - 1, tuple(range(x.ndim - 1))
    x_grad = lax.dot_general(grad, kernel, (((last,), (1,)), ((), ())))
    kernel_grad = lax.dot_general(x, grad, ((others, others), ((), ())))
    return x_grad, kernel_grad


product.defvjp(_forward, _backward)
