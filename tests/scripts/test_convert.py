"""`mt5x convert` and `mt5x checkpoint`, from the command line."""

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from mt5x.checkpoints import convert as module
from mt5x.checkpoints import formats, tensors
from mt5x.checkpoints.architecture import parameter_shapes
from mt5x.checkpoints.huggingface import HuggingFaceSink
from mt5x.checkpoints.t5x_legacy import LegacySink
from mt5x.checkpoints.t5x_orbax import OrbaxSink
from mt5x.checkpoints.tensors import info_of, writing
from mt5x.model import T5Config
from scripts.main import main

REPOSITORY = Path(__file__).resolve().parents[2]

CONFIG = T5Config(
    vocab_size=40, emb_dim=12, num_heads=2, head_dim=4, mlp_dim=10,
    num_encoder_layers=2, num_decoder_layers=2, relative_bias_per_layer=True,
)  # fmt: skip
MT5_SMALL = T5Config(
    vocab_size=250_112, emb_dim=512, num_heads=6, head_dim=64, mlp_dim=1024,
    num_encoder_layers=8, num_decoder_layers=8,
)  # fmt: skip


def write(sink: tensors.Sink, arrays: dict[str, np.ndarray], step: int | None) -> Path:
    with writing(sink, {path: info_of(array) for path, array in arrays.items()}, step):
        for path, array in arrays.items():
            sink.write(path, array)
    return sink.destination


def parameters() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    shapes = parameter_shapes(CONFIG).items()
    return {path: random.normal(size=shape).astype(np.float32) for path, shape in shapes}


@pytest.fixture
def huggingface(tmp_path) -> Path:
    return write(HuggingFaceSink(tmp_path / "hf"), parameters(), None)


@pytest.fixture
def run_folder(tmp_path) -> Path:
    """Two checkpoints of one run, with optimizer slots."""
    arrays = parameters()
    slots = {f"state/param_states/{path}/v": array**2 for path, array in arrays.items()}
    for step in (5, 40):
        write(OrbaxSink(tmp_path / "run" / f"checkpoint_{step}"), arrays | slots, step)
    return tmp_path / "run"


def folder_listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def same(left: Path, right: Path) -> bool:
    """Whether two checkpoints hold the same parameters bit for bit."""
    one, other = formats.open_source(left), formats.open_source(right)
    assert one.parameters == other.parameters
    return all(one.read(p).tobytes() == other.read(p).tobytes() for p in one.parameters)


def test_there_and_back_is_equal_bit_for_bit(huggingface, tmp_path, capsys):
    assert main(["convert", str(huggingface), str(tmp_path / "t5x")]) == 0
    line = capsys.readouterr().out
    assert "checkpoint_0: t5x from huggingface, step 0" in line
    assert "read back and equal" in line
    assert main(["convert", str(tmp_path / "t5x"), str(tmp_path / "old"), "--to=t5x_legacy"]) == 0
    assert main(["convert", str(tmp_path / "old"), str(tmp_path / "again")]) == 0
    assert same(huggingface, tmp_path / "t5x" / "checkpoint_0")
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (huggingface / name).read_bytes()
    assert folder_listing(tmp_path) == ["again", "hf", "old", "t5x"]


def test_a_run_s_newest_checkpoint_is_taken_and_its_slots_are_named(run_folder, tmp_path, capsys):
    assert main(["convert", str(run_folder), str(tmp_path / "hf")]) == 0
    count = len(parameter_shapes(CONFIG))
    assert f"{count} optimizer slots were left out" in capsys.readouterr().out
    assert same(run_folder / "checkpoint_40", tmp_path / "hf")
    # Between T5X's formats they stay, and so does the step.
    assert main(["convert", str(run_folder), str(tmp_path / "old"), "--to", "t5x_legacy"]) == 0
    assert "left out" not in capsys.readouterr().out
    old = formats.open_source(tmp_path / "old")
    assert (old.step, len(old.slots)) == (40, count)


def test_parameters_can_be_halved(huggingface, tmp_path):
    assert main(["convert", str(huggingface), str(tmp_path / "half"), "--dtype=bfloat16"]) == 0
    half = formats.open_source(tmp_path / "half")
    for path, array in parameters().items():
        np.testing.assert_array_equal(half.read(path), array.astype(ml_dtypes.bfloat16))


def refusal(capsys, *arguments: str | Path) -> str:
    assert main([str(argument) for argument in arguments]) == 2
    sentence = capsys.readouterr().err.strip()
    assert "\n" not in sentence
    return sentence


def test_what_exists_is_never_touched(huggingface, run_folder, tmp_path, capsys):
    before = folder_listing(huggingface)
    assert "exists already" in refusal(capsys, "convert", run_folder, huggingface)
    assert "exists already" in refusal(capsys, "convert", huggingface, run_folder)
    one = run_folder / "checkpoint_5"
    assert "exists already" in refusal(capsys, "convert", huggingface, one, "--to", "t5x")
    assert folder_listing(huggingface) == before
    assert folder_listing(run_folder) == ["checkpoint_40", "checkpoint_5"]


def test_wrong_requests_are_one_sentence(huggingface, run_folder, tmp_path, capsys):
    new = tmp_path / "new"
    sentence = refusal(capsys, "convert", huggingface, new, "--to", "hugging_face")
    assert "did you mean huggingface" in sentence
    assert "float32 or bfloat16, not float16" in refusal(
        capsys, "convert", huggingface, new, "--dtype", "float16"
    )
    assert "no checkpoint at" in refusal(capsys, "convert", tmp_path, new)
    assert "no checkpoint at" in refusal(capsys, "checkpoint", tmp_path / "nowhere")
    wrong = refusal(capsys, "convert", run_folder, tmp_path / "checkpoint_7", "--to", "t5x_legacy")
    assert "is of step 40" in wrong
    assert folder_listing(tmp_path) == ["hf", "run"]


def test_a_tree_of_another_network_is_refused(tmp_path, capsys):
    arrays = parameters() | {"encoder/adapter/kernel": np.zeros((2, 2), np.float32)}
    source = write(OrbaxSink(tmp_path / "checkpoint_1"), arrays, 1)
    sentence = refusal(capsys, "convert", source, tmp_path / "hf")
    assert "encoder/adapter/kernel is [2, 2] there and absent in the network" in sentence
    assert folder_listing(tmp_path) == ["checkpoint_1"]


@pytest.mark.parametrize("to", ["t5x", "t5x_legacy", "huggingface"])
def test_a_source_that_ends_midway_leaves_nothing(huggingface, tmp_path, capsys, to):
    file = huggingface / "model.safetensors"
    whole = file.read_bytes()
    source = formats.open_source(huggingface)
    number = len(source.tensors) // 2
    read = type(source).read

    def read_some(self: tensors.Source, path: str) -> np.ndarray:
        if path == list(self.tensors)[number]:
            file.write_bytes(whole[:400])
        return read(self, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(source), "read", read_some)
        sentence = refusal(capsys, "convert", huggingface, tmp_path / "new", "--to", to)
    assert "model.safetensors is damaged" in sentence
    assert folder_listing(tmp_path) == ["hf"]


@pytest.mark.parametrize("to", ["t5x", "t5x_legacy", "huggingface"])
def test_a_disk_that_forgets_is_noticed(huggingface, tmp_path, capsys, monkeypatch, to):
    """One bit of one tensor changes on its way to the disk."""
    sink = {"t5x": "t5x_orbax.OrbaxSink", "t5x_legacy": "t5x_legacy.LegacySink"}.get(
        to, "huggingface.HuggingFaceSink"
    )
    package, name = sink.split(".")
    kind = getattr(__import__(f"mt5x.checkpoints.{package}", fromlist=[name]), name)
    write_tensor = kind._write
    victim = "encoder/layers_1/attention/value/kernel"

    def forgetful(self: tensors.Sink, path: str, array: np.ndarray) -> None:
        if path == victim:
            bits = np.array(array).view(np.int32)
            bits[0, 0] ^= 1
            array = bits.view(np.float32)
        write_tensor(self, path, array)

    monkeypatch.setattr(kind, "_write", forgetful)
    sentence = refusal(capsys, "convert", huggingface, tmp_path / "new", "--to", to)
    parameters = len(parameter_shapes(CONFIG))
    count = parameters if to == "huggingface" else 5 * parameters  # four slots beside each
    assert f"{victim} differs (1 of {count} tensors)" in sentence
    assert folder_listing(tmp_path) == ["hf"]


def test_an_interruption_leaves_nothing(huggingface, tmp_path, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_compare", interrupted)
    assert main(["convert", str(huggingface), str(tmp_path / "new")]) == 130
    assert folder_listing(tmp_path) == ["hf"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        ValueError("RESOURCE_EXHAUSTED: Error writing: No space left on device [os_error_code=28]"),
    ],
)
@pytest.mark.parametrize("kind", [OrbaxSink, LegacySink, HuggingFaceSink])
def test_a_full_disk_is_told_and_leaves_nothing(
    huggingface, tmp_path, capsys, monkeypatch, kind, error
):
    def full(self: tensors.Sink, path: str, array: np.ndarray) -> None:
        raise error

    monkeypatch.setattr(kind, "_write", full)
    sentence = refusal(capsys, "convert", huggingface, tmp_path / "new", "--to", kind.format)
    assert "is full, so nothing was written; free some space" in sentence
    assert folder_listing(tmp_path) == ["hf"]


def test_what_a_killed_conversion_left_is_no_obstacle(huggingface, tmp_path):
    (tmp_path / "new" / ".checkpoint_0.partial" / "state").mkdir(parents=True)
    (tmp_path / ".hf2.partial").mkdir()
    assert main(["convert", str(huggingface), str(tmp_path / "new")]) == 0
    assert main(["convert", str(tmp_path / "new"), str(tmp_path / "hf2")]) == 0
    assert folder_listing(tmp_path / "new") == ["checkpoint_0"]
    assert folder_listing(tmp_path) == ["hf", "hf2", "new"]


def test_progress_is_a_bar_on_a_terminal(huggingface, tmp_path):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    module.convert(huggingface, tmp_path / "new", stream=screen)
    assert "convert: " in screen.getvalue()
    assert "compare: " in screen.getvalue()


def test_checkpoint_shows_steps_sizes_and_the_tree(run_folder, capsys):
    assert main(["checkpoint", str(run_folder)]) == 0
    text = capsys.readouterr().out
    numbers = sum(int(np.prod(shape)) for shape in parameter_shapes(CONFIG).values())
    assert "steps in the folder: 5, 40" in text
    assert "step 40" in text
    assert "2 + 2 layers, width 12, 2 heads of 4, feed-forward 10, 40 vocabulary rows" in text
    assert f"{numbers:,} parameters in {len(parameter_shapes(CONFIG))} tensors" in text
    assert f"{numbers:,} optimizer slots" in text
    assert "encoder/layers_*/mlp/wo/kernel" in text
    assert "layers 0 to 1" in text
    assert "every number is finite" in text


def test_checkpoint_shows_every_tensor_if_asked(huggingface, capsys):
    assert main(["checkpoint", str(huggingface), "--tensors", "--index-only"]) == 0
    text = capsys.readouterr().out
    for path, shape in parameter_shapes(CONFIG).items():
        assert f"  {path} " in text
        assert f"float32 {list(shape)}" in text
    assert "its tensors were not read" in text


def test_checkpoint_tells_what_is_not_finite_and_what_is_cut_off(tmp_path, huggingface, capsys):
    arrays = parameters()
    arrays["encoder/encoder_norm/scale"][3] = np.nan
    bad = write(HuggingFaceSink(tmp_path / "nan"), arrays, None)
    assert main(["checkpoint", str(bad)]) == 0
    assert "1 of them hold NaN or infinity, encoder/encoder_norm/scale" in capsys.readouterr().out
    file = huggingface / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    assert "cut off" in refusal(capsys, "checkpoint", huggingface)


# VmHWM is the most that this process held; getrusage's maximum is inherited from its parent.
PROGRAM = """
import json, re, sys
from mt5x.checkpoints.convert import convert
import mt5x.checkpoints.huggingface, mt5x.checkpoints.t5x_legacy, mt5x.checkpoints.t5x_orbax
def memory(name):
    with open("/proc/self/status") as file:
        return 1024 * int(re.search(name + r":\\s*(\\d+) kB", file.read())[1])
start = memory("VmRSS")
done = convert(*sys.argv[1:])
print(json.dumps({"above_start": memory("VmHWM") - start, "parameters": done.num_parameters}))
"""


@pytest.mark.slow
def test_mt5_small_is_converted_in_the_memory_of_one_tensor(tmp_path):
    """Its true size, 300,176,768 parameters; the bar is 1.5 x the largest tensor + 1 GiB."""
    random = np.random.default_rng(0)
    shapes = parameter_shapes(MT5_SMALL)
    infos = {path: tensors.TensorInfo(shape, "float32") for path, shape in shapes.items()}
    with writing(HuggingFaceSink(tmp_path / "hf"), infos, None) as sink:
        for path, shape in shapes.items():
            sink.write(path, random.standard_normal(shape, np.float32))
    largest = max(info.nbytes for info in infos.values())
    steps = [("hf", "t5x", "t5x"), ("t5x", "old", "t5x_legacy"), ("old", "back", "huggingface")]
    for source, destination, to in steps:
        arguments = [str(tmp_path / source), str(tmp_path / destination), to]
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *arguments],
            cwd=REPOSITORY, capture_output=True, text=True, check=True,
        )  # fmt: skip
        figures = json.loads(done.stdout)
        print(f"{to}: {figures['above_start'] / 2**20:.0f} MiB above start")
        assert figures["parameters"] == 300_176_768
        # Below the tensor itself, the measurement would be wrong.
        assert largest < figures["above_start"] <= 1.5 * largest + 2**30
    file = "model.safetensors"
    with (tmp_path / "hf" / file).open("rb") as one, (tmp_path / "back" / file).open("rb") as other:
        while block := one.read(2**24):
            assert block == other.read(2**24)
        assert other.read() == b""
