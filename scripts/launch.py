"""`mt5x launch`: runs an `mt5x` command on a Cloud TPU slice or a SLURM cluster."""

import argparse

from scripts import launch_slurm, launch_tpu, study

SUMMARY = "run a job or a study on a Cloud TPU slice or a SLURM cluster"
EXAMPLES = """\
fine-tune on a spot slice of eight v5e chips, fetch the results, delete the slice:
  mt5x launch tpu --name=panx --zone=us-west4-a --accelerator=v5e-8 --queued --spot \\
    --fetch=runs/panx -- train --gin_file=t5x_configs/models/mt5_base.gin \\
    --gin_file=t5x_configs/runs/finetune.gin \\
    --gin_file=t5x_configs/experiments/panx_zeroshot.gin \\
    --gin.INITIAL_CHECKPOINT_PATH=gs://BUCKET/mt5_base --gin.MODEL_DIR=gs://BUCKET/panx \\
    --tfds_data_dir=gs://BUCKET/tfds

print every command and run none:
  mt5x launch tpu ... --dry-run -- train ...

on a cluster, and what is to follow it:
  mt5x launch slurm --name=panx --partition=gpu --gpus_per_node=8 --detach -- train ...
  mt5x launch slurm --name=test --partition=gpu --gpus_per_node=1 --after=panx -- evaluate ...

each stage of a study as a job:
  mt5x launch slurm --name=transfer --partition=gpu --gpus_per_node=1 -- study run FILE
  mt5x launch tpu --name=transfer --zone=us-west4-a --accelerator=v5e-8 --queued \
    --bucket=gs://BUCKET/transfer --data=gs://BUCKET/tfds -- study run FILE
"""

_JOBS = ("train", "evaluate", "study")
_PLACES = {"tpu": launch_tpu, "slurm": launch_slurm}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the two places, each with its flags; the job is what follows `--`."""
    parser.set_defaults(job=())
    places = parser.add_subparsers(dest="where", required=True, metavar="tpu|slurm")
    for name, place in _PLACES.items():
        summary = (place.__doc__ or "").partition(": ")[2]
        one = places.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        one.add_argument("--name", required=True, help="what to call it; found again by it")
        place.add_arguments(one)


def run(args: argparse.Namespace) -> None:
    """Runs the job to its end, or prints how."""
    from mt5x.errors import UserError, nearest

    if not args.job or args.job[0] not in _JOBS:
        came = f"{args.job[0]}{nearest(args.job[0], _JOBS, count=1)}" if args.job else "nothing"
        raise UserError(
            f"after -- is to come the job, {', '.join(_JOBS)}, with its flags, and not {came}"
        )
    place = _PLACES[args.where]
    if args.job[0] != "study":
        place.run(args)
        return
    of_study = study.read_arguments(args.job[1:])
    if of_study.action != "run":
        raise UserError(f"`study {of_study.action}` needs no other machine")
    results, report = study.run_study(study.load(of_study), place.elsewhere(args))
    print(f"results  {results}\nreport   {report}")
