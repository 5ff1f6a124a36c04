"""The machine that figures are from: without it they say little."""

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

import jax

from mt5x import run_record

# What a baseline runs on; the engine's own packages are those of a run's record.
_PEERS = ("torch", "transformers")


def describe() -> dict[str, Any]:
    """Processor, memory, devices, versions, commit, load and date of this process's machine."""
    record = run_record.environment()
    peers = {name: version for name in _PEERS if (version := _version(name))}
    return {
        "date": datetime.date.today().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load": [round(load, 1) for load in os.getloadavg()],
        "devices": sorted({device.device_kind for device in jax.devices()}),
        "device_count": jax.device_count(),
        "python": platform.python_version(),
        "versions": {**record["versions"], **peers},
        "git_commit": record["git_commit"],
    }


def sentence(machine: dict[str, Any]) -> str:
    """The machine in a line, for under a table."""
    devices = f"{machine['device_count']} x {', '.join(machine['devices'])}"
    busy = ", ".join(f"{load:.1f}" for load in machine["load"])
    return (
        f"{machine['date']}: {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gib']:g} GiB; {devices}; jax {machine['versions'].get('jax')}; "
        f"load of the last 1, 5 and 15 minutes {busy}"
    )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
