"""A study expands to stages named by what determines them, and no stage runs twice."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import gin
import pytest

from mt5x import config
from mt5x.errors import UserError
from mt5x.studies import jobs, runner
from mt5x.studies.expansion import expand
from mt5x.studies.plan import Study
from mt5x.studies.results import ResultRow, read_rows, write_rows
from mt5x.studies.store import Figures
from tests.mt5x import toy
from tests.mt5x.toy_study import study_in


@pytest.fixture(autouse=True)
def _clean_gin():
    yield
    gin.clear_config()


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return study_in(tmp_path)


class Recorder:
    """Stands in for every job: notes its title, and answers with made-up figures."""

    def __init__(self, fail_at: str | None = None):
        self.titles: list[str] = []
        self._fail_at = fail_at

    def kinds(self) -> dict[str, runner.Job]:
        kinds = ("evaluate", "majority_baseline", "lm_statistics")
        return {"train": self._train, **dict.fromkeys(kinds, self._figures)}

    def _train(self, title: str) -> Figures:
        self._note(title)
        return {}

    def _note(self, title: str) -> None:
        if self._fail_at and self._fail_at in title:
            raise KeyboardInterrupt
        self.titles.append(title)

    def _figures(self, title: str) -> Figures:
        self._note(title)
        return {"en": {"score": 50.0, "num_examples": 10, "step": 1}}


def test_parents_come_first_and_names_are_unique(study):
    stages = expand(dataclasses.replace(study, seeds=(0, 1)))
    seen: set[str] = set()
    for stage in stages:
        assert stage.name not in seen
        assert set(stage.parents) <= seen
        seen.add(stage.name)
    assert len(stages) == 2 * (2 + 1 + 2 * 2)


def test_a_second_run_does_nothing_and_gives_the_same_table(study):
    first, second = Recorder(), Recorder()
    table = runner.run(study, first.kinds()).read_bytes()
    assert runner.run(study, second.kinds()).read_bytes() == table
    assert len(first.titles) == 7
    assert second.titles == []


def test_a_study_that_was_cut_off_goes_on_where_it_was(study):
    cut, rest = Recorder(fail_at="finetune-panx-fi"), Recorder()
    with pytest.raises(KeyboardInterrupt):
        runner.run(study, cut.kinds())
    runner.run(study, rest.kinds())
    assert len(cut.titles) + len(rest.titles) == 7
    assert "finetune-panx-fi" in rest.titles[0]


def test_a_changed_setting_reruns_exactly_what_depends_on_it(study):
    runner.run(study, Recorder().kinds())
    changed = dataclasses.replace(study, finetuning={**study.finetuning, "BATCH_SIZE": 7})
    again = Recorder()
    runner.run(changed, again.kinds())
    assert sorted(title.split("] ")[1] for title in again.titles) == [
        "evaluate-panx-en-seed0",
        "evaluate-panx-fi-seed0",
        "finetune-panx-en-seed0",
        "finetune-panx-fi-seed0",
    ]


def test_other_data_reruns_everything(study):
    runner.run(study, Recorder().kinds())
    world = Path(study.data_dir) / "world.json"
    world.parent.mkdir()
    world.write_text("{}")
    again = Recorder()
    runner.run(study, again.kinds())
    assert len(again.titles) == 7


def test_moving_the_stages_reruns_everything_under_the_same_names(study, tmp_path):
    runner.run(study, Recorder().kinds())
    moved = dataclasses.replace(study, stages_dir=str(tmp_path / "elsewhere"))
    runner.run(moved, Recorder().kinds())
    names = [
        sorted(path.name for path in folder.iterdir())
        for folder in (tmp_path / "stages", tmp_path / "elsewhere")
    ]
    assert names[0] == names[1]
    assert len(names[0]) == 7 + 1


def test_the_best_checkpoint_is_evaluated_and_its_rule_is_in_every_row(study):
    evaluated = []

    class Chooses(Recorder):
        def _train(self, title: str) -> Figures:
            figure = config.macro("KEEP_BEST_METRIC")
            if figure is not None:
                folder = Path(config.macro("MODEL_DIR"))
                folder.mkdir(parents=True)
                rule = {"rule": f"best {figure} on validation"}
                (folder / "selection.json").write_text(json.dumps(rule))
            return super()._train(title)

        def _figures(self, title: str) -> Figures:
            evaluated.append(config.macro("CHECKPOINT_PATH"))
            return super()._figures(title)

    figure = "eval/panx_eval.{source}/span_f1"
    by_source = dataclasses.replace(
        study, finetuning={**study.finetuning, "KEEP_BEST_METRIC": figure}
    )
    rows = read_rows(runner.run(by_source, Chooses().kinds()))
    for row in rows:
        tuned = row.stage.startswith("evaluate-")
        expected = f"best eval/panx_eval.{row.source}/span_f1 on validation" if tuned else "last"
        assert row.selection == expected
    assert sum(str(path).endswith("/best") for path in evaluated) == 2


def test_rows_survive_the_file(tmp_path):
    row = ResultRow("s", "e", 0, "panx", "en", "ar", "test", "span_f1", 12.5, 10, 3)
    write_rows(tmp_path / "rows.jsonl", [row])
    assert read_rows(tmp_path / "rows.jsonl") == [row]


@pytest.mark.parametrize("line", ["{", '{"study": "s"}', "[]"])
def test_a_broken_table_names_the_line(tmp_path, line):
    (tmp_path / "rows.jsonl").write_text(line + "\n")
    with pytest.raises(UserError, match="line 1: not a result row"):
        read_rows(tmp_path / "rows.jsonl")


def test_the_majority_baseline_predicts_the_commonest_target():
    toy.register()
    scores = jobs.majority_scores(
        toy.model(), ["toy_train", "toy_train"], ["toy_eval.aa", "toy_eval.bb"]
    )
    # 32 of 64 training targets each way, so the tie goes to 'no'; 6 of 13 are odd.
    assert [one.metrics["accuracy"] for one in scores] == pytest.approx([600 / 13] * 2)


WRITER = """
import sys
from mt5x.studies.results import ResultRow, write_rows
rows = [ResultRow(**%r, seed=seed) for seed in range(50)]
for _ in range(300):
    write_rows(sys.argv[1], rows)
"""


def test_two_writers_of_one_table_do_not_hinder_each_other(tmp_path):
    """As two workers do that end together."""
    row = {
        "study": "s", "stage": "evaluate", "task": "xnli", "source": "en",
        "target": "sw", "split": "test", "metric": "accuracy", "value": 50.0,
        "num_examples": 1, "step": 1,
    }  # fmt: skip
    file = tmp_path / "results.jsonl"
    code = WRITER % row
    writers = [subprocess.Popen([sys.executable, "-c", code, file]) for _ in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert len(read_rows(file)) == 50
    assert [*tmp_path.iterdir()] == [file]
