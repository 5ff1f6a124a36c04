"""The `gcloud` command lines by which a job runs on a Cloud TPU slice; nothing runs here.

Flags are those of the public reference, cloud.google.com/sdk/gcloud/reference/compute/tpus, pages
tpu-vm and queued-resources, and of .../storage/rsync; runtime versions those of
cloud.google.com/tpu/docs/runtimes. gcloud has its own login: no credential is read or passed on.
"""

import dataclasses
import re
import shlex
from collections.abc import Sequence

from mt5x.errors import UserError
from mt5x.launch.job import Job
from mt5x.studies import accelerators

Command = tuple[str, ...]

_RUNTIME_VERSIONS = {
    "v6e": "v2-alpha-tpuv6e",
    "v5p": "v2-alpha-tpuv5",
    "v5e": "v2-alpha-tpuv5-lite",
}
_OLDER_RUNTIME = "tpu-ubuntu2204-base"
_CLOUD_NAMES = {"v5e": "v5litepod"}
# Of a queued resource or a node: at work on it, there, and there no longer.
READY = frozenset({"READY", "ACTIVE"})
GONE = frozenset(
    "PREEMPTED TERMINATED STOPPING STOPPED DELETING SUSPENDING SUSPENDED FAILED HIDING HIDDEN "
    "NOT_FOUND".split()
)

# On the TPU VM. Home is expanded there.
ENVIRONMENT = "~/mt5x-environment"
JOBS = "~/mt5x-jobs"
BUCKETS = "/tmp/mt5x-buckets"

STATUS = "mt5x-status"
# Of a run's folder everything but checkpoints, finished or not.
_CHECKPOINTS = r"(.*/)?\.?checkpoint_[0-9]+.*"


@dataclasses.dataclass(frozen=True)
class TpuSlice:
    """A slice that is to be had, and how to reach it.

    Attributes:
      name: of the TPU VM and of the queued resource.
      zone: where.
      accelerator: 'v5e-8', 'v5p-64'.
      project: gcloud's own by default.
      queued: ask for it as a queued resource, which waits until there is capacity.
      spot: cheaper, and may be taken away.
      runtime_version: the software of the VM; by default what Google names for the generation.
      service_account, network, subnetwork: gcloud's flags; its defaults where None.
      internal_ips: no external addresses; then this machine must be in the same network.
    """

    name: str
    zone: str
    accelerator: str
    project: str | None = None
    queued: bool = False
    spot: bool = False
    runtime_version: str | None = None
    service_account: str | None = None
    network: str | None = None
    subnetwork: str | None = None
    internal_ips: bool = False

    def __post_init__(self) -> None:
        """Refuses what gcloud would refuse after minutes."""
        if not re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", self.name):
            raise UserError(
                f"--name={self.name} is no name for a TPU: small letters, digits and '-', a letter "
                "first"
            )
        if not accelerators.named(self.accelerator).is_tpu:
            raise UserError(
                f"--accelerator={self.accelerator} is no TPU slice; write v5e-8, v5p-64"
            )

    @property
    def cloud_type(self) -> str:
        """Google's name of the accelerator type: 'v5litepod-8'."""
        found = accelerators.named(self.accelerator)
        kind, _, count = found.name.partition("-")
        return f"{_CLOUD_NAMES.get(kind, kind)}-{count}"

    @property
    def version(self) -> str:
        """The runtime version of the VM."""
        kind = accelerators.named(self.accelerator).kind
        return self.runtime_version or _RUNTIME_VERSIONS.get(kind, _OLDER_RUNTIME)

    def create(self) -> Command:
        """Asks for the slice."""
        optional = {
            "--service-account": self.service_account,
            "--network": self.network,
            "--subnetwork": self.subnetwork,
        }
        flags = [f"{flag}={value}" for flag, value in optional.items() if value is not None]
        flags += ["--spot"] * self.spot + ["--internal-ips"] * self.internal_ips
        node: Command
        if self.queued:
            node = (f"--node-id={self.name}", f"--runtime-version={self.version}")
        else:
            node = (f"--version={self.version}",)
        return (
            *self._tpus(self._resource, "create", self.name),
            f"--accelerator-type={self.cloud_type}",
            *node,
            *flags,
        )

    def describe(self) -> Command:
        """Prints the state: one of `READY`, of `GONE`, or another for a slice on its way."""
        field = "state.state" if self.queued else "state"
        return (*self._tpus(self._resource, "describe", self.name), f"--format=value({field})")

    def delete(self) -> Command:
        """Gives the slice back, whatever runs on it."""
        forced = ("--force",) * self.queued
        return (*self._tpus(self._resource, "delete", self.name), *forced, "--quiet")

    def copy(self, files: Sequence[str]) -> Command:
        """Copies files of this machine to the home of every worker."""
        return (*self._tpus("tpu-vm", "scp", *files, f"{self.name}:"), *self._all_workers)

    def on_all_workers(self, script: str) -> Command:
        """Runs a line of shell on every worker, and prints what they print."""
        return (
            *self._tpus("tpu-vm", "ssh", self.name),
            *self._all_workers,
            f"--command={script}",
        )

    @property
    def _resource(self) -> str:
        return "queued-resources" if self.queued else "tpu-vm"

    @property
    def _all_workers(self) -> Command:
        return ("--worker=all", *(("--internal-ip",) * self.internal_ips))

    def _tpus(self, group: str, verb: str, *positional: str) -> Command:
        project = () if self.project is None else (f"--project={self.project}",)
        where = (f"--zone={self.zone}", *project)
        return ("gcloud", "compute", "tpus", group, verb, *positional, *where)


def fetch(folder: str, local: str, checkpoints: bool = False) -> Command:
    """Copies a folder of a bucket here; what is here already is not copied again.

    Args:
      folder: 'gs://BUCKET/FOLDER'.
      local: a folder that exists.
      checkpoints: the checkpoints, too.
    """
    left_out = () if checkpoints else (f"--exclude={_CHECKPOINTS}",)
    return ("gcloud", "storage", "rsync", folder, local, "--recursive", *left_out)


# Scripts for the workers.


def install(wheel: str, constraints: str, stamp: str, buckets: Sequence[str]) -> str:
    """Makes the environment and mounts the buckets; what is there already is left alone.

    A job may be at work there: this machine may have gone and come back.

    The VM's own Python is older than mt5x needs, so `uv` brings one.

    Args:
      wheel: name of the wheel in the home folder.
      constraints: name of the constraints file there.
      stamp: tells what is installed from any other.
      buckets: to be mounted with Cloud Storage FUSE.
    """
    python, installed = f"{ENVIRONMENT}/bin/python", f"{ENVIRONMENT}/{stamp}"
    steps = [
        "set -e",
        f"[ -e {installed} ] || {{ python3 -m pip install --quiet --user uv; "
        f"python3 -m uv venv --quiet --allow-existing --python 3.11 {ENVIRONMENT}; "
        f"python3 -m uv pip install --quiet --python {python} -c {shlex.quote(constraints)} "
        f'"mt5x[tpu] @ file://$HOME/{wheel}"; touch {installed}; }}',
    ]
    if buckets:
        steps.append(_GCSFUSE)
    for bucket in buckets:
        at = f"{BUCKETS}/{bucket}"
        # Every host must see at once what another has written; a checkpoint is a folder that is
        # renamed when it is whole.
        steps.append(
            f"mkdir -p {at}; mountpoint -q {at} || gcsfuse --implicit-dirs "
            f"--metadata-cache-ttl-secs=0 --rename-dir-limit=1000000 {bucket} {at}"
        )
    return "; ".join(steps)


# As cloud.google.com/storage/docs/cloud-storage-fuse/install has it.
_GCSFUSE = (
    "command -v gcsfuse > /dev/null || { "
    "curl -fsS https://packages.cloud.google.com/apt/doc/apt-key.gpg "
    "| sudo tee /usr/share/keyrings/cloud.google.asc > /dev/null; "
    'echo "deb [signed-by=/usr/share/keyrings/cloud.google.asc] '
    'https://packages.cloud.google.com/apt gcsfuse-$(lsb_release -c -s) main" '
    "| sudo tee /etc/apt/sources.list.d/gcsfuse.list > /dev/null; "
    "sudo apt-get -q update; sudo apt-get -qy install gcsfuse; }"
)


def start(job: Job) -> str:
    """Starts the job anew on a worker, apart from the connection; an older one is ended first."""
    buckets = buckets_of(job)
    command = shlex.join(on_worker(argument, buckets) for argument in job.arguments)
    run = f"cd ~; PYTHONPATH=. {ENVIRONMENT}/bin/mt5x {command}"
    # The exit code is written under another name first, so that it is never read half.
    inner = f"({run}) > log 2>&1; echo $? > exit.partial; mv exit.partial exit"
    return (
        f"mkdir -p {JOBS}/{job.name}; cd {JOBS}/{job.name} || exit 1; "
        '[ ! -e pid ] || kill -KILL -- "-$(cat pid)" 2> /dev/null; rm -f exit; '
        f"nohup setsid bash -c {shlex.quote(inner)} > /dev/null 2>&1 < /dev/null & echo $! > pid"
    )


def status(job: Job) -> str:
    """Prints `STATUS`, then 'absent', 'running', 'dead' or 'exit:CODE', then the log's bytes."""
    return (
        f"cd {JOBS}/{job.name} 2> /dev/null || {{ echo {STATUS} absent 0; exit 0; }}; "
        "if [ -e exit ]; then state=exit:$(cat exit); "
        'elif kill -0 -- "-$(cat pid)" 2> /dev/null; then state=running; else state=dead; fi; '
        f"echo {STATUS} $state $(wc -c < log || echo 0)"
    )


def log_end(job: Job, lines: int = 40) -> str:
    """Prints the end of the job's log."""
    return f"tail -n {lines} {JOBS}/{job.name}/log"


def on_worker(argument: str, buckets: Sequence[str]) -> str:
    """An argument as the worker gets it: a folder of `buckets` is where those are mounted.

    Other buckets are read as they are, checkpoints by TensorStore; so are data sets, by TensorFlow.
    """
    if argument.startswith("--tfds_data_dir="):
        return argument
    for bucket in buckets:
        argument = re.sub(rf"gs://{re.escape(bucket)}(?![\w.-])", f"{BUCKETS}/{bucket}", argument)
    return argument


def buckets_of(job: Job) -> list[str]:
    """The buckets that a job writes to as to folders, which must be mounted."""
    return sorted({folder.removeprefix("gs://").split("/")[0] for folder in folders_of(job)})


def folders_of(job: Job) -> list[str]:
    """What the job writes: its MODEL_DIR or EVAL_OUTPUT_DIR, where that is in a bucket.

    Of LM statistics it is the folder of the file that they are written to.
    """
    in_gin = r"(?:--gin\.|--gin_bindings=)(?:MODEL_DIR|EVAL_OUTPUT_DIR)=['\"]?(gs://[^'\"]+)['\"]?"
    pattern = rf"{in_gin}|--out=(gs://.+)/[^/]+"
    found = (re.fullmatch(pattern, argument) for argument in job.arguments)
    return [(match[1] or match[2]).rstrip("/") for match in found if match]
