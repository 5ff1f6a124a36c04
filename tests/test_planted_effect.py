"""What is planted in a sample world is what the analysis finds: syntax, or shared words.

Each world is written, pretrained on, fine-tuned from ten languages and evaluated in ten, by the
commands that a user runs. CI takes one world of syntax, `-m exhaustive` three of each kind (half
an hour). Run with -s to see the figures.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from analysis import transfer
from analysis.correlation import Correlation, correlate
from analysis.features import planted
from analysis.transfer import Transfer
from mt5x.studies.results import read_rows

REPOSITORY = Path(__file__).resolve().parent.parent
WORLDS = {
    "syntax": ["--syntax", "typology"],
    "lexicon": ["--syntax", "shared", "--lexicon", "drawn"],
}
CASES = [("syntax", "slow", (0,))] + [(kind, "exhaustive", (0, 1, 2)) for kind in WORLDS]


def mt5x(*arguments: str) -> None:
    """Runs a command in a process of its own, on one device as a user has it."""
    subprocess.run([sys.executable, "-m", "scripts.main", *arguments], cwd=REPOSITORY, check=True)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((kind, seeds), marks=getattr(pytest.mark, mark), id=f"{kind}-{mark}")
        for kind, mark, seeds in CASES
    ],
)
def world(request, tmp_path_factory) -> tuple[str, dict[int, tuple[Path, Transfer]]]:
    """One kind of world, and for each seed its data and its transfer table."""
    kind, seeds = request.param
    tables = {}
    for seed in seeds:
        folder = tmp_path_factory.mktemp(f"{kind}{seed}")
        data = folder / "world"
        made = ["sample-data", "--out", str(data), "--seed", str(seed), *WORLDS[kind]]
        mt5x(*made)
        study = ["study", "run", "t5x_configs/studies/planted_effect.gin"]
        places = {"data_dir": data, "output_dir": folder / "study"}
        settings = [f"--gin.Study.{name}={path}" for name, path in places.items()]
        mt5x(*study, *settings, f"--gin.Study.seeds=({seed},)")
        rows = read_rows(folder / "study" / "results.jsonl")
        tables[seed] = (data, transfer.main_transfers(transfer.transfers(rows))[0])
    return kind, tables


def correlations(data: Path, table: Transfer) -> dict[str, Correlation]:
    features = planted.planted(data, table.languages)
    return {feature.key: correlate(table.score, feature.values) for feature in features}


def test_the_planted_cause_correlates_with_transfer_in_most_worlds(world):
    kind, tables = world
    wanted = {"syntax": "planted_syntax", "lexicon": "planted_lexicon"}[kind]
    found = []
    for seed, (data, table) in tables.items():
        by_feature = correlations(data, table)
        for key, one in by_feature.items():
            print(f"{kind} world, seed {seed}: {key} r={one.r} p={one.p} ({one.pairs} pairs)")
        one = by_feature[wanted]
        found.append(one.r is not None and one.r > 0 and one.p is not None and one.p < 0.05)
        if kind == "lexicon":
            assert by_feature["planted_syntax"].r is None, "one grammar cannot vary"
    # In two worlds of three; the first is one of the two.
    assert sum(found) >= min(2, len(found))


def test_zero_shot_lies_between_the_baseline_and_in_language(world):
    kind, tables = world
    for seed, (_, table) in tables.items():
        for target in table.languages:
            own, trivial = table.in_language(target), table.baseline[target]
            zero_shot = table.zero_shot_to(target)
            print(f"{kind} world, seed {seed}, {target}: {trivial:.1f} {zero_shot:.1f} {own:.1f}")
            assert trivial < zero_shot < own
