"""`mt5x launch tpu`: a job on a Cloud TPU slice, through `gcloud`."""

import argparse
from pathlib import Path
from typing import Any

_FLAGS = (
    "name zone accelerator project queued spot runtime_version service_account network subnetwork "
    "internal_ips"
).split()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the slice, what is copied to it, and how long things may take."""
    parser.add_argument("--dry-run", action="store_true", help="print the commands, run none")
    tpu = parser.add_argument_group("the slice")
    tpu.add_argument("--zone", required=True, help="such as us-west4-a")
    tpu.add_argument("--accelerator", required=True, metavar="NAME", help="v5e-8, v5p-64")
    tpu.add_argument("--project", help="gcloud's own by default")
    tpu.add_argument("--queued", action="store_true", help="wait in Google's queue for capacity")
    tpu.add_argument("--spot", action="store_true", help="cheaper, and may be taken away")
    tpu.add_argument("--runtime_version", metavar="NAME", help="software of the VM")
    tpu.add_argument("--service_account", metavar="NAME", help="as whom the workers act")
    tpu.add_argument("--network", metavar="NAME")
    tpu.add_argument("--subnetwork", metavar="NAME")
    tpu.add_argument("--internal_ips", action="store_true", help="no external addresses")
    tpu.add_argument("--keep", action="store_true", help="do not delete it in the end")
    files = parser.add_argument_group("files")
    files.add_argument(
        "--copy",
        action="append",
        default=[],
        metavar="FILE",
        help="a gin file or module of your own; may be repeated",
    )
    files.add_argument("--wheel", metavar="FILE", help="mt5x; made of this checkout by default")
    files.add_argument("--constraints", metavar="FILE", help="versions; this checkout's by default")
    files.add_argument(
        "--fetch", metavar="DIR", help="where MODEL_DIR or EVAL_OUTPUT_DIR is copied in the end"
    )
    files.add_argument(
        "--fetch_checkpoints", action="store_true", help="the checkpoints of it, too"
    )
    study = parser.add_argument_group("of a study")
    study.add_argument("--bucket", metavar="gs://...", help="where the stages have their folders")
    study.add_argument("--data", metavar="gs://...", help="where the data sets are")
    patience = parser.add_argument_group("patience")
    patience.add_argument("--poll_seconds", type=float, default=30.0, metavar="N")
    patience.add_argument("--wait_hours", type=float, default=24.0, metavar="N")
    patience.add_argument("--stall_minutes", type=float, default=45.0, metavar="N")


def run(args: argparse.Namespace) -> None:
    """Runs the job to its end, or prints how."""
    from mt5x.errors import UserError
    from mt5x.launch import gcloud, gcloud_commands, tpu
    from mt5x.launch.job import Job

    tpu_slice = _slice(args)
    job = Job(args.name, args.job)
    folders = gcloud_commands.folders_of(job)
    if not folders:
        raise UserError(
            "the job's MODEL_DIR or EVAL_OUTPUT_DIR is not in a bucket: set it to "
            "gs://BUCKET/FOLDER, which outlives the slice"
        )
    package = _package(args)
    if args.dry_run:
        fetched = [
            gcloud_commands.fetch(folder, args.fetch, args.fetch_checkpoints)
            for folder in folders
            if args.fetch
        ]
        for purpose, command in tpu.steps(tpu_slice, package, [job], fetched):
            print(f"# {purpose}\n{gcloud.shown(command)}")
        return
    buckets = gcloud_commands.buckets_of(job)
    with tpu.HeldSlice(tpu_slice, package, buckets, _patience(args), args.keep) as held:
        held.run(job)
        for folder in folders:
            if args.fetch:
                held.fetch(folder, Path(args.fetch), args.fetch_checkpoints)
    print(f"{job.name} is done: {folders[0]}{f', in {args.fetch}' if args.fetch else ''}")


def elsewhere(args: argparse.Namespace) -> Any:
    """Where the stages of a study run: an `on_slice.OnSlice`.

    Raises:
      UserError: a flag is missing, or what it says cannot be.
    """
    from mt5x.errors import UserError
    from mt5x.launch import tpu
    from mt5x.launch.on_slice import OnSlice
    from mt5x.studies import accelerators

    for flag in ("bucket", "data"):
        if getattr(args, flag) is None:
            raise UserError(f"a study needs --{flag}=gs://BUCKET/FOLDER")
    if args.dry_run:
        raise UserError("--dry-run is for one job; `mt5x study plan` lists the stages")
    tpu_slice, patience = _slice(args), _patience(args)
    bucket = args.bucket.removeprefix("gs://").partition("/")[0]

    def held() -> tpu.HeldSlice:
        return tpu.HeldSlice(tpu_slice, _package(args), [bucket], patience, args.keep)

    return OnSlice(held, args.bucket, args.data, accelerators.named(args.accelerator))


def _slice(args: argparse.Namespace) -> Any:
    from mt5x.launch import gcloud_commands

    return gcloud_commands.TpuSlice(**{name: getattr(args, name) for name in _FLAGS})


def _package(args: argparse.Namespace) -> Any:
    from mt5x.launch import tpu, wheel

    built = Path(args.wheel) if args.wheel else wheel.build(Path("runs/launch"))
    constraints = args.constraints or wheel.constraints()
    return tpu.Package(built, Path(constraints), tuple(map(Path, args.copy)))


def _patience(args: argparse.Namespace) -> Any:
    from mt5x.launch import tpu

    names = ("poll_seconds", "wait_hours", "stall_minutes")
    return tpu.Patience(**{name: getattr(args, name) for name in names})
