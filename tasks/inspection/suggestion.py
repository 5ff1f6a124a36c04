"""TASK_FEATURE_LENGTHS that suit a task: few tokens of padding, few examples cut.

Packed rows end when either inputs or targets are full, so the two lengths must stand in the ratio
of the tokens, or one of them is mostly padding: inputs of 1024 beside targets of 512 leave most of
the targets empty where an answer has a few tokens.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np

from tasks.inspection.packing import Packing, count_rows

# mT5's own lengths: of classification, and of question answering and entities.
MT5_LENGTHS = ({"inputs": 1024, "targets": 128}, {"inputs": 1024, "targets": 512})

# The longest inputs that are offered where shorter ones do; mT5's.
_LONGEST_INPUTS = MT5_LENGTHS[0]["inputs"]
# Lengths are multiples of these, each from the length beside it on: what accelerators divide into
# tiles with little or no rest.
_MULTIPLES = ((512, 128), (128, 64), (0, 8))
# Targets are tried from so many times to so many times their share of the inputs' length.
_TARGETS_TRIED = (0.5, 3.0)
# Tokens that a token attends to for as many operations as its share of the layer's weights takes:
# of a layer of mT5-base, 2 (4 d d + 3 d 2048) against 4 d for each token attended to, d = 768.
_ATTENDED_FOR_WEIGHTS = 4608


def suggest(
    counts: np.ndarray, most_cut: float, least_targets: Callable[[int], int] | None = None
) -> Packing:
    """Returns the packing by the lengths that take the least computing an example.

    Of all lengths that cut at most the given share of the examples. Padding costs what a token
    does; long rows have a smaller share of it, but every token attends to all of its row, so the
    longest rows are not the cheapest.

    Args:
      counts: int64 [examples, 2], tokens of inputs and targets, at least one example.
      most_cut: the share of examples that may lose tokens, from 0 to below 1.
      least_targets: from the inputs' length to the least that the targets' may have.
    """
    needed = least_targets or (lambda inputs: 1)
    tried = [count_rows(counts, lengths) for lengths in _candidates(counts, most_cut, needed)]
    return min(tried, key=cost)


def cost(packing: Packing) -> float:
    """Returns the operations that packed rows take for each example.

    The unit is what one token's way through the weights of a layer takes. Attention counts as it
    does in mT5-base; the logits, which differ from vocabulary to vocabulary, do not count.
    """
    inputs, targets = packing.lengths["inputs"], packing.lengths["targets"]
    attended = inputs * inputs + targets * (inputs + targets)
    row = inputs + targets + attended / _ATTENDED_FOR_WEIGHTS
    return row * packing.rows / packing.examples


def wasted(packing: Packing) -> float:
    """Returns the share of `cost` that padding and attention to other examples take.

    Attention is computed between all tokens of a row, and masked between examples.
    """
    needed = sum(packing.tokens.values()) + packing.attended / _ATTENDED_FOR_WEIGHTS
    return 1 - needed / (cost(packing) * packing.examples)


def _candidates(
    counts: np.ndarray, most_cut: float, needed: Callable[[int], int]
) -> Iterator[dict[str, int]]:
    """Yields the pairs of lengths that cut few enough examples; always at least one."""
    allowed = math.floor(most_cut * len(counts) + 1e-9)
    # Inputs and targets share what may be cut: the inputs take what the targets leave over.
    least_targets = _rounded(_longest_but(counts[:, 1], allowed // 2))
    left = allowed - int((counts[:, 1] > least_targets).sum())
    fitting = counts[counts[:, 1] <= least_targets]
    least_inputs = _rounded(_longest_but(fitting[:, 0], left))
    ratio = counts[:, 1].mean() / max(counts[:, 0].mean(), 1.0)
    for inputs in _steps(least_inputs, max(_LONGEST_INPUTS, least_inputs)):
        ideal = inputs * ratio
        least = max(least_targets, _rounded(needed(inputs)), _rounded(ideal * _TARGETS_TRIED[0]))
        for targets in _steps(least, max(least, _rounded(ideal * _TARGETS_TRIED[1]))):
            yield {"inputs": inputs, "targets": targets}


def _longest_but(counts: np.ndarray, cut: int) -> int:
    """Returns the least length that cuts at most `cut` of the examples."""
    return int(np.sort(counts)[len(counts) - 1 - cut]) if cut < len(counts) else 1


def _rounded(length: float) -> int:
    """Returns the least permitted length that is not below `length`."""
    step = next(step for begin, step in _MULTIPLES if length > begin or not begin)
    return max(math.ceil(length / step) * step, step)


def _steps(first: int, last: int) -> Iterator[int]:
    """Yields the permitted lengths from `first`, which is one, to `last`."""
    length = first
    while length <= last:
        yield length
        length = _rounded(length + 1)
