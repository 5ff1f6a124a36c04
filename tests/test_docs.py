"""What the guides show works, and what they link to is there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
GUIDES = [*sorted(REPOSITORY.glob("*.md")), *sorted((REPOSITORY / "docs").glob("*.md"))]


def blocks(guide: str, language: str) -> list[str]:
    text = (REPOSITORY / guide).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.name)
def test_links_lead_to_files(path):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    broken = [
        link for link in links if "://" not in link and not (path.parent / link).resolve().exists()
    ]
    assert not broken


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.name)
def test_named_files_of_the_repository_are_there(path):
    named = re.findall(
        r"\b(?:t5x_configs|scripts|tests|docs|mt5x|tasks|analysis)/[\w/]+\.(?:gin|py|sh|md)\b",
        path.read_text(encoding="utf-8"),
    )
    assert not [name for name in named if not (REPOSITORY / name).is_file()]


def test_the_task_of_the_guide_can_be_read_and_configured(tmp_path, monkeypatch):
    """In a process of its own, since it registers tasks and chooses a vocabulary."""
    (tmp_path / "reviews.py").write_text(blocks("docs/define_a_task.md", "python")[0])
    (tmp_path / "reviews.gin").write_text(blocks("docs/define_a_task.md", "gin")[0])
    (tmp_path / "reviews").mkdir()
    for name in ("train.en", "validation.en", "validation.sw"):
        (tmp_path / "reviews" / f"{name}.tsv").write_text("lovely\tgood\nawful\tbad\n")
    program = """
import seqio
from mt5x import config
from tasks import vocabulary

config.load(
    ["t5x_configs/models/mt5_tiny.gin", "t5x_configs/runs/finetune.gin", "reviews.gin"],
    ["MODEL_DIR=runs/reviews", "VOCABULARY=byt5"],
)
vocabulary.choose("byt5")
mixture = seqio.get_mixture_or_task(config.macro("MIXTURE_OR_TASK_NAME"))
lengths = config.macro("TASK_FEATURE_LENGTHS")
train = list(mixture.get_dataset(lengths, split="train", num_epochs=1).as_numpy_iterator())
targets = {vocabulary.chosen().decode([int(i) for i in row["targets"]]) for row in train}
assert targets == {"good", "bad"}, targets
assert all(row["inputs"][-1] == 1 for row in train), "no end of sequence"
evaluated = [task.name for task in mixture.tasks if "validation" in task.splits]
assert evaluated == ["reviews_eval.en", "reviews_eval.sw"], evaluated
"""
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{REPOSITORY}")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "guide", ["README.md", "docs/define_a_task.md", "docs/tpu_and_gpu.md", "docs/real_data.md"]
)
def test_macros_of_the_guides_are_read_by_the_gin_files(guide):
    text = (REPOSITORY / guide).read_text(encoding="utf-8")
    shown = set(re.findall(r"--gin\.([A-Z_]+)=", text)) - {"NAME"}
    gin_files = (REPOSITORY / "t5x_configs").rglob("*.gin")
    read = set(re.findall(r"%([A-Z_]+)", "".join(path.read_text() for path in gin_files)))
    assert shown <= read
