"""`mt5x predict` as a user meets it: JSON lines in, JSON lines out."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mt5x import text_files, train_state
from mt5x.checkpoints import saving
from mt5x.errors import UserError
from mt5x.partitioning import make_mesh
from mt5x.prediction import Decode
from scripts import main as command_line
from tests.conftest import REPOSITORY
from tests.mt5x import toy

GIN = """\
# A network for tests.
from __gin__ import dynamic_registration
from mt5x import model as network
include 't5x_configs/models/mt5.gin'
VOCABULARY = 'byt5'
VOCAB_SIZE = 384
DTYPE = 'float32'
network.T5Config:
  emb_dim = 16
  mlp_dim = 32
  num_encoder_layers = 1
  num_decoder_layers = 1
  num_heads = 2
  head_dim = 8
"""


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory) -> Path:
    """A run's folder with a checkpoint, and the gin file of its model."""
    folder = tmp_path_factory.mktemp("run")
    state = train_state.init_state(toy.model(), make_mesh(1, 1), seed=0)
    checkpoints = saving.CheckpointDirectory(folder)
    checkpoints.save(state, 1)
    checkpoints.close()
    (folder / "config.gin").write_text("VOCABULARY = 'byt5'\n")
    (folder / "model.gin").write_text(GIN)
    return folder


@pytest.fixture
def predict(run_folder, tmp_path, capsys):
    """Runs the command on lines; returns the exit code, the records and the complaint."""

    def call(lines: list[str], *arguments: str) -> tuple[int, list[dict], str]:
        source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
        source.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        code = command_line.main(
            [
                "predict",
                f"--checkpoint={run_folder}",
                f"--input={source}",
                f"--output={target}",
                "--max_length=4",
                "--batch_size=8",
                *arguments,
            ]
        )
        text = target.read_text(encoding="utf-8") if target.exists() else ""
        # Not splitlines: a text may hold other ends of lines than this one.
        return code, [json.loads(line) for line in text.split("\n")[:-1]], capsys.readouterr().err

    return call


def test_texts_and_records_in_records_out(predict):
    lines = [
        "a text",
        json.dumps({"id": 7, "inputs": "another", "more": {"kept": [1, None]}}),
        "",
        json.dumps({"inputs": "line\u2028separator and ünïcödé"}, ensure_ascii=False),
    ]
    code, records, _ = predict(lines)
    assert code == 0
    assert [record["inputs"] for record in records] == [
        "a text",
        "another",
        "",
        "line\u2028separator and ünïcödé",
    ]
    assert records[1]["id"] == 7
    assert records[1]["more"] == {"kept": [1, None]}
    for record in records:
        assert isinstance(record["prediction"], str)
        assert record["score"] < 0


def test_all_decodes(predict):
    code, records, _ = predict(["one", "two"], "--kind=beam", "--num_decodes=3", "--all_decodes")
    assert code == 0
    for record in records:
        assert len(record["predictions"]) == len(record["scores"]) == 3
        assert record["scores"] == sorted(record["scores"], reverse=True)
        assert "prediction" not in record


def test_sampling_repeats_with_its_seed(predict):
    arguments = ("--kind=sample", "--top_p=0.9", "--temperature=2")
    lines = [f"text {number}" for number in range(10)]
    _, first, _ = predict(lines, *arguments)
    _, again, _ = predict(lines, *arguments)
    _, other, _ = predict(lines, *arguments, "--seed=5")
    assert first == again
    assert [one["prediction"] for one in first] != [one["prediction"] for one in other]


def test_the_gin_config_gives_the_same(run_folder, predict, tmp_path):
    _, without_gin, _ = predict(["one", "two"], "--kind=beam", "--num_decodes=2")
    (tmp_path / "in.txt").write_text("one\ntwo\n")
    code = command_line.main(
        [
            "predict",
            f"--gin_file={run_folder / 'model.gin'}",
            "--gin_file=t5x_configs/runs/predict.gin",
            f"--gin.CHECKPOINT_PATH={run_folder}",
            "--gin.BATCH_SIZE=8",
            "--gin.MAX_DECODE_LENGTH=4",
            "--gin.DECODE_KIND=beam",
            "--gin.NUM_DECODES=2",
            f"--input={tmp_path / 'in.txt'}",
            f"--output={tmp_path / 'gin.jsonl'}",
        ]
    )
    assert code == 0
    with_gin = [json.loads(line) for line in (tmp_path / "gin.jsonl").read_text().splitlines()]
    assert [one["prediction"] for one in with_gin] == [one["prediction"] for one in without_gin]
    for ours, theirs in zip(with_gin, without_gin, strict=True):
        assert ours["score"] == pytest.approx(theirs["score"], abs=1e-4)


def test_standard_input_and_output(run_folder):
    done = subprocess.run(
        [sys.executable, "-m", "scripts.main", "predict", f"--checkpoint={run_folder}", "--input=-",
         "--max_length=4"],
        input="one\ntwo ünï\n".encode(),
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        check=True,
    )  # fmt: skip
    records = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert [record["inputs"] for record in records] == ["one", "two ünï"]


BAD_LINES = {
    "no JSON": ('{"inputs": "a"', r"line 2: expected a JSON object.* at character 15"),
    "no inputs": ('{"input": "a"}', r"line 2: expected a text in the field 'inputs', got none"),
    "no text": ('{"inputs": 5}', r"line 2: expected a text in the field 'inputs', got int"),
    "half a character": (r'{"inputs": "a", "id": "\ud800"}', r"line 2: .* half of one, .\\ud800"),
    "taken": ('{"inputs": "a", "score": 1}', r"line 2: rename the field 'score'"),
}


@pytest.mark.parametrize(("line", "message"), BAD_LINES.values(), ids=BAD_LINES)
def test_bad_lines_are_named(tmp_path, line, message):
    (tmp_path / "in").write_text(f"good\n{line}\ngood\n")
    with pytest.raises(UserError, match=message):
        text_files.read_records(str(tmp_path / "in"))


def test_many_bad_lines_are_counted(tmp_path):
    (tmp_path / "in").write_bytes(b"{\n" * 5 + b"\xff\n")
    with pytest.raises(UserError, match=r"line 1: .*; line 2: .*; line 3: .*; and 3 more bad"):
        text_files.read_records(str(tmp_path / "in"))
    (tmp_path / "in").write_bytes(b"good\nb\xe9d\n")
    with pytest.raises(UserError, match=r"line 2: expected UTF-8, got the byte 0xe9"):
        text_files.read_records(str(tmp_path / "in"))


def test_marks_and_ends_of_lines_of_other_systems(tmp_path, monkeypatch):
    data = b"\xef\xbb\xbfone\r\n" + json.dumps({"inputs": "two\r"}).encode() + b"\r\nlast"
    (tmp_path / "in").write_bytes(data)
    records = text_files.read_records(str(tmp_path / "in"))
    assert [record["inputs"] for record in records] == ["one", "two\r", "last"]
    stdin = io.TextIOWrapper(io.BytesIO(data))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert text_files.read_records("-") == records


def test_a_bad_line_leaves_no_output(predict, tmp_path):
    code, records, complaint = predict(["good", "{bad"])
    assert code == 2
    assert records == []
    assert "line 2" in complaint
    assert complaint.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_output_is_written_whole_or_not_at_all(tmp_path):
    before = "what was there\n"
    target = tmp_path / "out.jsonl"
    target.write_text(before)
    decodes = [[Decode("fine", -1.0)], [Decode("\ud800", -1.0)]]
    with pytest.raises(UnicodeEncodeError):
        text_files.write_predictions(str(target), [{"inputs": "a"}] * 2, decodes, False)
    assert target.read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]
    with pytest.raises(UserError, match="cannot write"):
        text_files.write_predictions(
            str(tmp_path / "no" / "out"), [{"inputs": "a"}], decodes[:1], False
        )


COMPLAINTS = {
    "nothing there": (["--input=x"], "expected --checkpoint=DIR, or --gin_file"),
    "both": (
        ["--input=x", "--checkpoint=y", "--gin_file=z"],
        "expected --checkpoint or gin files, got both",
    ),
    "a flag of the other way": (
        ["--input=x", "--gin_file=z", "--kind=beam"],
        "--kind goes with --checkpoint",
    ),
    "no file": (["--input=/nowhere/x", "--checkpoint=y"], "cannot read /nowhere/x"),
    "an unknown kind": (["--input=x", "--checkpoint=y", "--kind=beem"], "did you mean beam?"),
}


@pytest.mark.parametrize(("arguments", "message"), COMPLAINTS.values(), ids=COMPLAINTS)
def test_mistakes_are_told_in_one_sentence(arguments, message, capsys):
    assert command_line.main(["predict", *arguments]) == 2
    complaint = capsys.readouterr().err
    assert message in complaint
    assert complaint.count("\n") == 1


def test_an_empty_file_is_told(tmp_path):
    (tmp_path / "in").write_text("")
    with pytest.raises(UserError, match="has no lines: expected one text"):
        text_files.read_records(str(tmp_path / "in"))
    (tmp_path / "in").write_text("\n")
    assert text_files.read_records(str(tmp_path / "in")) == [{"inputs": ""}]
