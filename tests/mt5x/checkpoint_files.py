"""Checkpoints for tests: held in memory, copied from format to format, and damaged."""

from collections.abc import Callable, Mapping
from pathlib import Path

import ml_dtypes
import numpy as np
from hypothesis import strategies as st

from mt5x.checkpoints.t5x_legacy import LegacySink
from mt5x.checkpoints.t5x_orbax import OrbaxSink
from mt5x.checkpoints.tensors import OPTIMIZER, Sink, Source, info_of, writing

SINKS: dict[str, Callable[[Path], Sink]] = {"t5x_legacy": LegacySink, "t5x": OrbaxSink}


class InMemory(Source):
    """A checkpoint that is a dict of arrays."""

    format, location = "memory", "memory"

    def __init__(self, arrays: Mapping[str, np.ndarray], step: int | None = 0):
        self.arrays, self.step = arrays, step
        self.tensors = {path: info_of(array) for path, array in arrays.items()}

    def _read(self, path: str) -> np.ndarray:
        return self.arrays[path]


def copy(source: Source, format_name: str, destination: Path) -> Path:
    """Writes a source in a format."""
    with writing(SINKS[format_name](destination), source.tensors, source.step) as sink:
        for path in source.tensors:
            sink.write(path, source.read(path))
    return destination


def arrays_of(source: Source) -> dict[str, np.ndarray]:
    return {path: source.read(path) for path in source.tensors}


def assert_same(a: Source, b: Source) -> None:
    """The same step, paths, shapes, dtypes and bits."""
    assert a.step == b.step
    assert dict(a.tensors) == dict(b.tensors)
    for path in a.tensors:
        assert a.read(path).tobytes() == b.read(path).tobytes(), path


def files(folder: Path) -> list[str]:
    """Every file and folder below, by its relative name."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


_names = st.from_regex(r"[a-z][a-z_0-9]{0,5}", fullmatch=True)
_DTYPES = (np.float32, ml_dtypes.bfloat16, np.int32)


@st.composite
def trees(draw: st.DrawFn) -> InMemory:
    """A random parameter tree, with slots for some parameters: factored, whole and placeholders."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def array(shape: tuple[int, ...], dtype: type = np.float32) -> np.ndarray:
        return np.asarray(rng.normal(size=shape) * 100).astype(dtype)

    paths = draw(
        st.lists(st.lists(_names, min_size=2, max_size=4), min_size=1, max_size=6, unique_by=tuple)
    )
    # The last name never names a folder too.
    parameters = {"/".join(["p", *folders, "kernel"]): None for folders in paths}
    arrays: dict[str, np.ndarray] = {}
    for path in parameters:
        shape = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
        zero = draw(st.booleans())
        arrays[path] = array(shape, draw(st.sampled_from(_DTYPES))) * (0 if zero else 1)
        arrays[path] = arrays[path].reshape(shape)
        if draw(st.booleans()):
            whole = draw(st.booleans())
            slots = {"v": shape if whole else (1,), "v_row": (1,) if whole else shape[:1]}
            for name, slot_shape in slots.items():
                arrays[f"{OPTIMIZER}param_states/{path}/{name}"] = array(slot_shape)
    return InMemory(arrays, step=draw(st.integers(0, 2**31 - 1)))
