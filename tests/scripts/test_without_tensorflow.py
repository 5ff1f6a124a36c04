"""Commands that read no data set load no TensorFlow: it takes seconds."""

import json
import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

# In one process, one after the other; what has loaded TensorFlow is the first that is not empty.
PROGRAM = """
import json, sys
from pathlib import Path
from scripts import benchmark, main

folder = Path(sys.argv[1])
heavy = {"tensorflow", "tensorflow_text", "tensorflow_datasets", "seqio", "tasks"}

def answer(command):
    try:
        code = main.main(command.split())
    except SystemExit as exit_:
        code = exit_.code
    told.append([command, code, sorted(heavy & sys.modules.keys())])

told = []
answer("--help")
for name in main.COMMANDS:
    # Its help lists what the importers look for.
    if name != "import-data":
        answer(f"{name} --help")
assert "jax" not in sys.modules
for section in benchmark.SECTIONS:
    answer(f"benchmark {section} --help")
answer("plan --model mt5_tiny --devices 1 --batch_size 2 --inputs 16 --targets 8")

from mt5x import optimizers, train_state, vocabularies
from mt5x.checkpoints import native
from mt5x.checkpoints.saving import CheckpointDirectory
from mt5x.model import T5Config, Transformer
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import Partitioner

network = T5Config(vocab_size=384, emb_dim=8, num_heads=1, num_encoder_layers=1,
                   num_decoder_layers=1, head_dim=8, mlp_dim=8)
model = EncoderDecoderModel(Transformer(network), optimizers.Adafactor(), None)
checkpoints = CheckpointDirectory(folder / "run", None)
checkpoints.save(train_state.init_state(model, Partitioner().mesh, 0), 0, None)
checkpoints.wait()
checkpoints.close()
(folder / "in.txt").write_text("one\\n")
answer(f"convert {folder}/run {folder}/huggingface")
answer(f"predict --checkpoint={folder}/run --vocabulary=byt5 --max_length=2 "
       f"--input={folder}/in.txt --output={folder}/out.jsonl")
(folder / "told.json").write_text(json.dumps(told))
"""


def test_help_plan_predict_and_convert_load_no_tensorflow(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        cwd=REPOSITORY,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "told.json").read_text())
    assert [command.split()[0] for command, _, _ in told[-3:]] == ["plan", "convert", "predict"]
    assert [(command, code) for command, code, _ in told if code] == []
    assert [(command, loaded) for command, _, loaded in told if loaded] == []
