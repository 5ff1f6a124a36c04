"""tf.data graphs built without AutoGraph, which translates every function that it meets.

The translation of Python's `if` and `for` over tensors takes most of the time that a SeqIO pipeline
takes to be built, seconds for a mixture, and hardly any preprocessor needs it: a function that
does not branch on a tensor builds the same graph without it, and one that does fails at once.
"""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def built_plainly(build: Callable[[], T]) -> T:
    """Returns what `build` returns, built without AutoGraph where that is possible.

    Args:
      build: builds a data set; has no effect beyond that, for it may be called twice.
    """
    import tensorflow as tf

    try:
        return tf.autograph.experimental.do_not_convert(build)()
    # A preprocessor that needs the translation can fail in any way; an error of another cause
    # comes back below.
    except Exception:
        pass
    return build()
