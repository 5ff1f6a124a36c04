"""`mt5x study plan`: the stages of a study as a table and a picture, and what they cost."""

import argparse
from pathlib import Path
from typing import Any

from scripts import study_cost


def show(study: Any, args: argparse.Namespace) -> None:
    """Prints the plan of a `plan.Study` and writes its picture, output_dir/plan.svg."""
    from mt5x.studies import expansion, picture, sharing
    from mt5x.whole_file import write_whole

    stages = expansion.expand(study)
    for stage in stages:
        print(f"{stage.name:<36}  after {', '.join(stage.parents) or 'nothing'}")
    print(f"\n{sharing.sharing(stages).in_words()}")
    drawn = Path(study.output_dir) / "plan.svg"
    drawn.parent.mkdir(parents=True, exist_ok=True)
    write_whole(drawn, picture.svg(stages, study.question))
    print(f"picture  {drawn}")
    if args.accelerator:
        print(f"\n{study_cost.page(stages, args, study.data_dir)}")
