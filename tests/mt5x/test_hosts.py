"""Several processes: who belongs to a run, what each reads, and what is refused in one sentence."""

from collections.abc import Callable

import jax
import numpy as np
import pytest

from mt5x import distributed, input_pipeline, lost_peer, steps
from mt5x.distributed import Processes
from mt5x.errors import UserError
from mt5x.input_pipeline import DatasetConfig
from mt5x.interruption import StopRequest
from mt5x.partitioning import make_mesh
from scripts import main
from tests.mt5x import toy
from tests.mt5x.host_processes import free_address, output, processes

TRAIN = ["train", "--gin_file=t5x_configs/runs/finetune.gin"]


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch):
    for name in ("SLURM_STEP_NODELIST", "OMPI_MCA_orte_hnp_uri"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--multiprocess_gpu"], "--coordinator_address and --process_count and --process_index"),
        (["--process_count=2"], "--coordinator_address and --process_index are missing"),
        (
            ["--coordinator_address=a:1", "--process_count=2"],
            "--process_index is missing",
        ),
        (
            ["--coordinator_address=a", "--process_count=2", "--process_index=0"],
            "expected --coordinator_address=HOST:PORT, got a",
        ),
        (
            ["--coordinator_address=a:1", "--process_count=2", "--process_index=2"],
            "--process_index=2 is not one of the 2 processes: expected 0 to 1",
        ),
        (["--process_count=0"], "--process_count=0 must be 1 or more"),
        (["--multiprocess_gpu", "--initialization_timeout=0"], "must be 1 second or more"),
    ],
)
def test_flags_that_do_not_fit_end_in_one_sentence(capsys, flags, told):
    assert main.main([*TRAIN, *flags]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_one_process_needs_no_flags_and_joins_nobody():
    distributed.join()
    distributed.join(Processes(coordinator_address="a:1", process_count=1, process_index=0))
    assert not jax.distributed.is_initialized()
    assert distributed.from_first(lambda: ("any", "value")) == ("any", "value")
    distributed.refuse_disagreement({"config": 1}, "")
    distributed.leave(2)


def test_a_coordinator_that_is_not_there_is_told(tmp_path):
    flags = ["process_count=2", f"coordinator_address={free_address()}", "initialization_timeout=2"]
    command = ["tests.mt5x.join_and_agree", *flags, "process_index=1"]
    with processes([command], tmp_path) as (process,):
        assert process.wait(timeout=200) == 2
    told = output(tmp_path, 0)
    assert "no coordinator answered at localhost:" in told
    assert told.count("\n") == 1


def test_slurm_tells_who_belongs_together_and_disagreement_is_refused(tmp_path):
    """JAX reads these variables; srun sets them."""
    port = free_address().rpartition(":")[2]
    step = {"SLURM_JOB_ID": "7", "SLURM_STEP_NODELIST": "localhost", "SLURM_NTASKS": "2",
            "SLURM_STEP_TASKS_PER_NODE": "2", "JAX_COORDINATOR_PORT": port}  # fmt: skip
    command = ["tests.mt5x.join_and_agree", "multiprocess_gpu=1"]
    tasks = [{"SLURM_PROCID": str(index), "SLURM_LOCALID": str(index)} for index in range(2)]
    with processes([command, command], tmp_path, step, tasks) as pair:
        assert [process.wait(timeout=120) for process in pair] == [2, 2], output(tmp_path, 0)
    for index in range(2):
        told = output(tmp_path, index)
        assert "2 processes, 8 devices, {'index': 0, 'half': 0.5}" in told
        assert f"process 1 has another config than process 0 ({index} on process {index})" in told


UNHEALTHY = b"""\
E1121 14:35:23.1 123 coordination_service.cc:1549] Use error polling to propagate: UNAVAILABLE:
F1121 14:35:23.1 124 client.h:80] Terminating process because the JAX distributed service detected \
fatal errors. absl::Status: UNAVAILABLE: The following tasks are unhealthy (stopped sending \
heartbeats):
3
12
The tasks have crashed.
*** Check failure stack trace: ***
"""


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        (UNHEALTHY, b"mt5x: error: process 3 and 12 of this run has ended"),
        (
            b"F1121 x] Terminating process because the JAX distributed service detected fatal "
            b"errors. UNAVAILABLE: Failed to send RPC to coordination service.\n",
            b"mt5x: error: process 0 of this run has ended",
        ),
        (
            b"F1121 x] Terminating process because the JAX distributed service detected fatal "
            b"errors. Aborted connect attempt as there is a request from a newer incarnation.\n",
            b"mt5x: error: another process joined with the --process_index of this one",
        ),
    ],
)
def test_the_end_by_the_coordination_service_is_one_sentence(messages, told):
    sentence = lost_peer.sentence(messages)
    assert sentence.startswith(told)
    assert sentence.count(b"\n") == 1


def test_other_messages_of_the_service_are_passed_on():
    harmless = b"E1121 x coordination_service_agent.cc:289] something\n"
    assert lost_peer.sentence(harmless) == harmless


def test_all_rows_are_here_where_all_devices_are():
    for sizes in ((8, 1, 1), (4, 2, 1), (1, 8, 1), (2, 1, 4)):
        assert steps.rows_here(make_mesh(*sizes), 8).all()


@pytest.fixture(scope="module")
def toy_data() -> Callable[..., DatasetConfig]:
    toy.register()
    return toy.dataset


def test_parts_of_the_data_read_apart_are_the_rows_of_the_batch_read_whole(toy_data):
    """What each of two processes reads is what one process with as many parts has there."""
    data = toy_data(num_shards=2)

    def first(rows):
        batches = input_pipeline.training_batches(data, seed=3, first_batch=1, rows=rows)
        return [next(batches) for _ in range(2)]

    whole = first(None)
    for mine in (slice(0, 4), slice(4, 8)):
        rows = np.zeros(8, bool)
        rows[mine] = True
        for wanted, found in zip(whole, first(rows), strict=True):
            for name in wanted:
                np.testing.assert_array_equal(found[name][rows], wanted[name][rows])
                assert not found[name][~rows].any()


def test_parts_of_the_data_have_no_example_in_common(toy_data):
    data = toy_data(num_shards=2, pack=False, shuffle=False)
    found: list[set[bytes]] = [set(), set()]
    batches = input_pipeline.training_batches(data, seed=0, repeat=False)
    for batch in batches:
        for row, tokens in enumerate(batch["encoder_input_tokens"]):
            found[row // 4].add(tokens.tobytes())
    assert not found[0] & found[1]
    assert sum(map(len, found)) == 64


@pytest.mark.parametrize(
    ("shards", "told"),
    [
        (0, "must be 1 or more"),
        (3, r"does not divide BATCH_SIZE=8.*use 2 or 4"),
        (5, "use 4 or 8"),
        (20, "use 8$"),
    ],
)
def test_parts_that_do_not_divide_the_batch_are_refused(toy_data, shards, told):
    with pytest.raises(UserError, match=told):
        next(input_pipeline.training_batches(toy_data(num_shards=shards), seed=0))


def test_parts_without_examples_are_refused(toy_data):
    """64 examples in 128 parts."""
    data = toy_data(num_shards=128, batch_size=128)
    with pytest.raises(UserError, match="toy_zeroshot has no example in train"):
        next(input_pipeline.training_batches(data, seed=0, rows=np.arange(128) == 127))


def test_alone_a_request_to_stop_is_agreed_at_once():
    with StopRequest() as stop:
        assert not stop.agreed()
        stop.requested = True
        assert stop.agreed()
