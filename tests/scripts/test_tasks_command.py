"""`mt5x tasks` as a user meets it."""

import json

import pytest

from scripts import main as command_line
from tasks import data_dir, network, tfds_writer, vocabulary

ROW = {
    "tokens": ["لندن", "مدينة"],
    "tags": ["B-LOC", "O"],
    "langs": ["ar"] * 2,
    "spans": ["LOC: لندن"],
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data directory with twenty Arabic sentences; no network, and no choice that lasts."""
    monkeypatch.setattr(network, "reachable", lambda: False)
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    # Away from a sample world that the quickstart may have left in the checkout.
    monkeypatch.chdir(tmp_path)
    tfds_writer.write_dataset("wikiann/ar:1.0.0", {"train": [ROW] * 20}, tmp_path / "data")
    yield tmp_path / "data"
    data_dir.use(None)
    vocabulary.choose("mt5")


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = command_line.main(["tasks", *arguments])
    done = capsys.readouterr()
    return code, done.out, done.err


def test_the_list_of_one_language(folder, capsys):
    code, out, _ = run(
        capsys, "--data", "panx", "--kind", "train", "--language", "ar", "--data_dir", str(folder)
    )
    assert code == 0
    assert out.splitlines()[1].split() == ["panx", "train", "ar", "train", "20"]


def test_the_list_for_machines(folder, capsys):
    code, out, _ = run(capsys, "--data", "panx", "--kind", "eval", "--json")
    assert code == 0
    entries = {entry["name"]: entry for entry in json.loads(out)}
    assert entries["panx_eval.ar"]["sizes"] == {}
    assert entries["panx_eval.ar"]["needs"] == ["wikiann/ar:1.0.0"]


def test_one_task(folder, capsys):
    code, out, err = run(
        capsys, "panx_train.ar", "--data_dir", str(folder), "--vocabulary", "byt5",
        "--examples", "1",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "inputs   tag: لندن مدينة" in out
    assert "of 20 examples" in out
    assert "TASK_FEATURE_LENGTHS = {'inputs': " in out
    assert "example 2" not in out


def test_one_task_for_machines(folder, capsys):
    arguments = ("panx_train.ar", "--data_dir", str(folder), "--vocabulary", "byt5", "--json")
    code, out, _ = run(capsys, *arguments)
    assert code == 0
    found = json.loads(out)
    assert found["examples"][0]["texts"]["targets"] == "LOC: لندن"
    assert 0 < found["suggestion"]["efficiency"] <= 1
    assert set(found["suggestion"]["lengths"]) == {"inputs", "targets"}


def test_tasks_of_ones_own_module(folder, capsys, tmp_path, monkeypatch):
    (tmp_path / "my_own_tasks.py").write_text(
        "import seqio\n"
        "import tensorflow as tf\n"
        "from tasks import vocabulary\n"
        "rows = {'inputs': ['is it? हाँ'] * 9, 'targets': ['yes'] * 9}\n"
        "seqio.TaskRegistry.add('mine_train.hi', seqio.FunctionDataSource(\n"
        "    lambda split, shuffle_files, seed=None: tf.data.Dataset.from_tensor_slices(rows),\n"
        "    ['train'], {'train': 9}), vocabulary.features(),\n"
        "    [vocabulary.ready, seqio.preprocessors.tokenize, seqio.preprocessors.append_eos])\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    import seqio

    try:
        code, out, _ = run(
            capsys, "mine_train.hi", "--import", "my_own_tasks", "--vocabulary", "byt5"
        )
        assert code == 0
        assert "is it? हाँ" in out
    finally:
        seqio.TaskRegistry.remove("mine_train.hi")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("panx_trian.ar",), "no task or mixture is named 'panx_trian.ar'; did you mean"),
        (("--data", "pamx"), "no task or mixture has the data set 'pamx'; did you mean panx"),
        (("panx_train.ar", "--vocabulary", "mt6"), "'mt6'"),
        (("panx_train.ar", "--language", "ar"), "--language is for the list"),
        (("panx_train.ar", "--data_dir", "nowhere"), "there is no data directory nowhere"),
        (("--import", "no_such_module"), "no_such_module"),
        (("panx_train.fi", "--vocabulary", "byt5"), "wikiann/fi:1.0.0"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(folder, capsys, arguments, expected):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("mt5x: error: ")
    assert err.count("\n") == 1
    assert expected in err


def test_the_sample_vocabulary_is_taken_where_there_is_one(folder, capsys):
    sample = folder / vocabulary.SAMPLE_MODEL
    sample.parent.mkdir()
    sample.write_bytes(b"no model")
    code, _, err = run(capsys, "panx_train.ar", "--data_dir", str(folder))
    assert code == 2
    assert "is not a SentencePiece model" in err
