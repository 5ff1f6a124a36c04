"""`mt5x launch slurm`: a job on a SLURM cluster, through submitit."""

import argparse
import dataclasses
import re
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what the job asks for, what it waits for, and where its log goes."""
    parser.add_argument(
        "--after",
        action="append",
        default=[],
        metavar="NAME",
        help="a job of the same --folder that must have ended well before; may be repeated",
    )
    parser.add_argument("--detach", action="store_true", help="hand it over and do not wait")
    parser.add_argument(
        "--folder",
        default="runs/slurm",
        metavar="DIR",
        help="logs and records, on a disk that the compute nodes share (runs/slurm)",
    )
    parser.add_argument(
        "--cluster",
        choices=("slurm", "local"),
        default="slurm",
        help="'local' runs it on this machine, for trying",
    )
    parser.add_argument("--poll_seconds", type=float, default=10.0, metavar="N")
    asked = parser.add_argument_group("what is asked for (the cluster's own by default)")
    asked.add_argument("--minutes", type=int, default=720, metavar="N", help="of one go (720)")
    asked.add_argument("--nodes", type=int, default=1, metavar="N")
    asked.add_argument("--gpus_per_node", type=int, metavar="N")
    asked.add_argument("--cpus_per_task", type=int, metavar="N", help="cores of each process")
    asked.add_argument("--mem_gb", type=float, metavar="N", help="memory of each node")
    for name in ("partition", "account", "qos", "constraint"):
        asked.add_argument(f"--{name}", metavar="NAME")
    parser.add_argument(
        "--accelerator",
        metavar="NAME",
        help="of a study: all GPUs of a job, such as h100-8, so that every stage is made to fit",
    )
    asked.add_argument(
        "--setup",
        action="append",
        default=[],
        metavar="LINE",
        help="shell before the job, such as 'module load cuda'; may be repeated",
    )


def run(args: argparse.Namespace) -> None:
    """Runs the job to its end, or hands it over."""
    from mt5x.launch.job import Job

    queue = _queue(args)
    job = Job(args.name, args.job, tuple(args.after))
    if args.detach:
        queue.hand_over([job])
        return
    queue.run([job])
    print(f"{job.name} is done")


def elsewhere(args: argparse.Namespace) -> Any:
    """Where the stages of a study run: an `on_cluster.OnCluster`.

    Raises:
      UserError: what the flags say cannot be.
    """
    from mt5x.errors import UserError

    if args.detach or args.after:
        raise UserError("--detach and --after are for one job: a study writes down what has ended")
    queue = _queue(args)
    from mt5x.launch.on_cluster import OnCluster
    from mt5x.studies import accelerators

    accelerator = accelerators.named(args.accelerator) if args.accelerator else None
    return OnCluster(queue, args.nodes, accelerator)


def _queue(args: argparse.Namespace) -> Any:
    """The `slurm.Queue` that the flags ask for."""
    from mt5x.errors import UserError

    if not re.fullmatch(r"[\w-]+", args.name):
        raise UserError(f"--name={args.name} is to be letters, digits, '-' and '_'")
    try:
        from mt5x.launch import slurm
    except ModuleNotFoundError as error:
        if error.name != "submitit":
            raise
        raise UserError("submitit is not installed: pip install -e '.[slurm]'") from None

    given = {one.name: getattr(args, one.name) for one in dataclasses.fields(slurm.Resources)}
    resources = slurm.Resources(**{**given, "setup": tuple(args.setup)})
    return slurm.Queue(Path(args.folder), resources, args.cluster, poll_seconds=args.poll_seconds)
