"""Several runners of one study on this machine, each with devices of its own.

A runner is the command itself once more: it claims what nobody else runs (`store`). Each worker
sees one GPU or TPU chip, or, where there are neither, its share of the CPU's cores.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mt5x.errors import UserError

_LOOK_AGAIN = 2.0
# Sets which cores the process has before the libraries count them, then becomes the command.
_ON_CORES = (
    "import os, sys; os.sched_setaffinity(0, map(int, sys.argv[1].split(','))); "
    "os.execv(sys.argv[2], sys.argv[2:])"
)


def run(
    command: Sequence[str], count: int, logs: Path, tell: Callable[[], None] = lambda: None
) -> None:
    """Runs a command so many times side by side, to its end.

    Args:
      command: what each worker runs.
      count: how many.
      logs: folder of what each says, worker-0.log and so on.
      tell: called every two seconds meanwhile.

    Raises:
      UserError: there are more workers than devices, or one has ended badly; the others go on to
        their end.
    """
    places = devices(count)
    logs.mkdir(parents=True, exist_ok=True)
    running = []
    try:
        for number, (cores, variables) in enumerate(places):
            log = logs / f"worker-{number}.log"
            with log.open("w", encoding="utf-8") as stream:
                started = subprocess.Popen(
                    [sys.executable, "-c", _ON_CORES, cores, *command] if cores else list(command),
                    env={**os.environ, **variables},
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                )
            running.append((log, started))
        while any(worker.poll() is None for _, worker in running):
            tell()
            time.sleep(_LOOK_AGAIN)
    finally:
        for _, worker in running:
            if worker.poll() is None:
                worker.terminate()
    for log, worker in running:
        if worker.returncode:
            last = log.read_text(encoding="utf-8").strip().rpartition("mt5x: ")[2]
            raise UserError(f"{last or f'exit code {worker.returncode}'} (whole in {log})")


def devices(count: int) -> list[tuple[str, Mapping[str, str]]]:
    """Returns for each worker its cores ('' for all) and what its environment adds.

    Raises:
      UserError: there are more workers than devices of the kind that is here.
    """
    gpus = _numbered("CUDA_VISIBLE_DEVICES", "nvidia[0-9]*")
    chips = _numbered("TPU_VISIBLE_DEVICES", "accel[0-9]*") or _numbered(
        "TPU_VISIBLE_DEVICES", "vfio/[0-9]*"
    )
    cores = sorted(os.sched_getaffinity(0))
    kind, there = ("GPUs", gpus) if gpus else ("TPU chips", chips) if chips else ("cores", cores)
    if not 1 <= count <= len(there):
        raise UserError(f"--workers={count}: there are {len(there)} {kind} here, one each at least")
    if gpus:
        return [("", {"CUDA_VISIBLE_DEVICES": gpus[n]}) for n in range(count)]
    if chips:
        alone = {"TPU_CHIPS_PER_PROCESS_BOUNDS": "1,1,1", "TPU_PROCESS_BOUNDS": "1,1,1"}
        return [("", {"TPU_VISIBLE_DEVICES": chips[n], **alone}) for n in range(count)]
    return [(",".join(map(str, cores[n::count])), {}) for n in range(count)]


def _numbered(variable: str, pattern: str) -> list[str]:
    """Devices that a variable leaves visible, or else all files of /dev that match."""
    if variable in os.environ:
        return [one for one in os.environ[variable].split(",") if one.strip()]
    return [str(number) for number in range(len([*Path("/dev").glob(pattern)]))]
