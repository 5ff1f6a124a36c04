"""Several processes as one run: how they find one another, agree, and end together.

Finding, health checks and collectives are JAX's (`jax.distributed`, and gloo on CPU). Added is that
what goes wrong ends every process within a minute, with one sentence.
"""

import dataclasses
import importlib.util
import json
import os
import re
import signal
import socket
import sys
import threading
import time
import traceback
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from mt5x import lost_peer
from mt5x.errors import UserError

T = TypeVar("T")

# A process that was silent for so long is lost. JAX's threads send the heartbeats, so a long
# computation or a busy interpreter keeps none back.
_HEARTBEAT_SECONDS = 30
_EXIT_CODE = 2
# So long the coordinator, without which nobody can go on, lets others tell the error of their own.
_GRACE_SECONDS = 2.0
# How the loss of a peer shows first in a collective, before the coordination service has noticed.
_CONNECTION_LOST = re.compile(
    r"Gloo .*failed|NCCL .*(fail|error)|remote process exited|Connection (closed|reset)"
    r"|Socket closed|coordination service",
    re.IGNORECASE,
)

# Whether this process is one of several; JAX itself would start its devices to tell.
_several = False


@dataclasses.dataclass(frozen=True)
class Processes:
    """Which processes make up the run; T5X's flags of these names.

    Attributes:
      multiprocess_gpu: join the processes of a cluster (SLURM, Open MPI) that tells all else.
      coordinator_address: 'host:port' of process 0; any free port.
      process_count: processes in all.
      process_index: which of them this one is, from 0.
      initialization_timeout: seconds to wait for one another.
    """

    multiprocess_gpu: bool = False
    coordinator_address: str | None = None
    process_count: int | None = None
    process_index: int | None = None
    initialization_timeout: int = 60

    def check(self) -> None:
        """Refuses what cannot be meant.

        Raises:
          UserError: the flags do not fit together.
        """
        address, count, index = self.coordinator_address, self.process_count, self.process_index
        if address is not None and not re.fullmatch(r".+:\d{1,5}", address):
            raise UserError(
                f"expected --coordinator_address=HOST:PORT, got {address}; any free port of "
                "process 0's host will do"
            )
        if count is not None and count < 1:
            raise UserError(f"--process_count={count} must be 1 or more")
        if index is not None and not 0 <= index < (count if count is not None else index + 1):
            raise UserError(
                f"--process_index={index} is not one of the {count} processes: expected 0 to "
                f"{(count or 1) - 1}"
            )
        if self.initialization_timeout < 1:
            raise UserError(
                f"--initialization_timeout={self.initialization_timeout} must be 1 second or more"
            )
        if not self.alone and not self.complete and not _cluster_tells():
            given = {
                "--coordinator_address": address,
                "--process_count": count,
                "--process_index": index,
            }
            missing = [flag for flag, value in given.items() if value is None]
            raise UserError(
                "several processes need --coordinator_address, --process_count and "
                f"--process_index, unless SLURM or Open MPI starts them; {' and '.join(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} missing"
            )

    @property
    def alone(self) -> bool:
        """Whether nothing is said of several processes."""
        values = (self.coordinator_address, self.process_count, self.process_index)
        return not self.multiprocess_gpu and values == (None, None, None)

    @property
    def complete(self) -> bool:
        """Whether all is said, so that no cluster need be asked."""
        return None not in (self.coordinator_address, self.process_count, self.process_index)


def join(processes: Processes = Processes()) -> None:
    """Makes this process one of the run's; to be called before JAX is used.

    Processes of a TPU pod join unasked, others when the flags say so; otherwise nothing is done.

    Raises:
      UserError: the flags do not fit together, or the address cannot be used.
    """
    processes.check()
    if processes.alone:
        _note_other_tasks()
        if not _on_tpu():
            return
    if processes.complete and processes.process_count == 1:
        return
    import jax

    if not processes.alone:
        lost_peer.tell_in_one_sentence()
    timer = threading.Timer(processes.initialization_timeout, _give_up, (processes,))
    timer.daemon = True
    timer.start()
    try:
        jax.distributed.initialize(
            processes.coordinator_address,
            processes.process_count,
            processes.process_index,
            local_device_ids=None if processes.complete else _slurm_devices(),
            cluster_detection_method="deactivate" if processes.complete else None,
            # JAX would end the process with a stack trace.
            initialization_timeout=processes.initialization_timeout + 30,
            heartbeat_timeout_seconds=_HEARTBEAT_SECONDS,
        )
    except (ValueError, OSError) as error:
        # A TPU VM of which nobody knows a pod.
        if not processes.alone:
            raise UserError(f"the processes cannot be joined: {_first_line(error)}") from error
        return
    except RuntimeError as error:
        raise UserError(
            "this process cannot join the others at "
            f"{processes.coordinator_address or 'the address that the cluster tells'}: "
            f"{_first_line(error)}; if it is process 0, choose another port of its host"
        ) from error
    finally:
        timer.cancel()
    if processes.complete and jax.process_count() != processes.process_count:
        raise UserError(
            f"--process_count={processes.process_count} on this process and "
            f"{jax.process_count()} on process 0: give all the same"
        )
    global _several
    _several = jax.process_count() > 1
    if _several:
        lost_peer.tell_in_one_sentence()
    # JAX takes SIGTERM for itself; `interruption` handles it, and what does not train dies of it.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))


def leave(code: int) -> None:
    """Ends this process at once after an error, if it is one of several; else returns.

    JAX would wait at exit for the others, which wait for this one in the middle of a step. What
    is to be told must have been printed.
    """
    if not _several:
        return
    import jax

    _flush()
    if jax.process_index() == 0:
        time.sleep(_GRACE_SECONDS)
    os._exit(code)


def leave_with_traceback(error: BaseException) -> None:
    """As `leave`, for an error that is a defect and keeps its traceback."""
    if _several:
        wait_if_peer_was_lost(error)
        traceback.print_exception(error)
        leave(1)


def wait_if_peer_was_lost(error: BaseException) -> None:
    """If an error came of a lost connection, waits for JAX to find who was lost, and to end this.

    Returns where it is an error of this process's own, or nobody is found to be lost.
    """
    if not _several:
        return
    cause: BaseException | None = error
    while cause is not None:
        if _CONNECTION_LOST.search(str(cause)):
            time.sleep(_HEARTBEAT_SECONDS + 15)
            return
        cause = cause.__cause__ or cause.__context__


def refuse_disagreement(values: Mapping[str, Any], advice: str) -> None:
    """Refuses to go on where the processes do not see the same; all of them call it.

    Args:
      values: what must be the same on all, by its name; compared by its `str`.
      advice: what to do.

    Raises:
      UserError: on every process, if one of them has another value than process 0.
    """
    import jax
    import numpy as np

    if jax.process_count() == 1:
        return
    from jax.experimental import multihost_utils

    mine = np.array([zlib.crc32(str(value).encode()) for value in values.values()], np.uint32)
    everyones = np.asarray(multihost_utils.process_allgather(mine))
    for column, (name, value) in enumerate(values.items()):
        others = np.flatnonzero(everyones[:, column] != everyones[0, column]).tolist()
        if others:
            shown = str(value) if len(str(value)) < 200 else "another"
            raise UserError(
                f"process {' and '.join(map(str, others))} has another {name} than process 0 "
                f"({shown} on process {jax.process_index()}); {advice}"
            )


def from_first(compute: Callable[[], T]) -> T:
    """Returns on every process what `compute` gives on process 0, the only one that calls it.

    Args:
      compute: gives a value that JSON can hold; alone, any value.
    """
    import jax
    import numpy as np

    if jax.process_count() == 1:
        return compute()
    from jax.experimental import multihost_utils

    data = json.dumps(compute()).encode() if jax.process_index() == 0 else b""
    size = int(multihost_utils.broadcast_one_to_all(np.int32(len(data))))
    # Few sizes, since each is compiled.
    held = np.zeros(1 << size.bit_length(), np.uint8)
    held[: len(data)] = np.frombuffer(data, np.uint8)
    found: T = json.loads(np.asarray(multihost_utils.broadcast_one_to_all(held))[:size].tobytes())
    return found


def barrier(name: str) -> None:
    """Waits until every process has come here."""
    import jax

    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(name)


def _cluster_tells() -> bool:
    """Whether SLURM or Open MPI says which processes there are; JAX reads it."""
    return "SLURM_STEP_NODELIST" in os.environ or "OMPI_MCA_orte_hnp_uri" in os.environ


def _note_other_tasks() -> None:
    tasks = os.environ.get("SLURM_STEP_NUM_TASKS", "1")
    if tasks != "1" and os.environ.get("SLURM_PROCID") == "0":
        print(
            f"mt5x: note: srun started {tasks} tasks, and each runs by itself; add "
            "--multiprocess_gpu for one run over all of them",
            file=sys.stderr,
        )


def _slurm_devices() -> list[int] | None:
    """All GPUs of the node for the only task on it; JAX would take the first one alone.

    None leaves it to JAX: to each of several tasks on a node the GPU of its number.
    """
    if not re.fullmatch(r"1(\(x\d+\))?", os.environ.get("SLURM_STEP_TASKS_PER_NODE", "")):
        return None
    gpus = os.environ.get("SLURM_GPUS_ON_NODE", "")
    return list(range(int(gpus))) if gpus.isdigit() and int(gpus) else None


def _on_tpu() -> bool:
    """Whether this host has TPUs that JAX will use; it is not asked, since that would start it."""
    platforms = os.environ.get("JAX_PLATFORMS", "tpu")
    chips = [*Path("/dev").glob("accel[0-9]*"), *Path("/dev").glob("vfio/[0-9]*")]
    return "tpu" in platforms and bool(chips) and importlib.util.find_spec("libtpu") is not None


def _give_up(processes: Processes) -> NoReturn:
    address, seconds = processes.coordinator_address, processes.initialization_timeout
    came = f"not all {processes.process_count} processes came within {seconds} s"
    check = "see the output of each, and that all have the same address and --process_count"
    if not processes.complete:
        told = f"the processes of this job did not find one another within {seconds} s"
    elif processes.process_index == 0:
        told = f"{came} to process 0 at {address}; {check}"
    elif _answers(str(address)):
        told = f"the coordinator at {address} answers, but {came}; {check}"
    else:
        told = (
            f"no coordinator answered at {address} within {seconds} s: start the process with "
            "--process_index=0 on that host, and check address, port and firewall"
        )
    print(f"mt5x: error: {told}", file=sys.stderr)
    _flush()
    os._exit(_EXIT_CODE)


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=3).close()
    except (OSError, OverflowError):
        return False
    return True


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
