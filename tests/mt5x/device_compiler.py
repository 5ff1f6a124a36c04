"""What XLA assigns to training steps, compiled for GPUs and TPUs that need not be there.

    JAX_PLATFORMS= JAX_SKIP_CUDA_CONSTRAINTS_CHECK=1 python -m tests.mt5x.device_compiler h200
    TPU_SKIP_MDS_QUERY=1 TPU_WORKER_HOSTNAMES=localhost python -m tests.mt5x.device_compiler v5e v5p

write device_compiler.json, which `test_memory_plan` holds the plan against. They need neither the
devices nor a driver, but their compilers: `pip install --no-deps jax-cuda12-plugin jax-cuda12-pjrt
nvidia-cuda-nvcc-cu12`, the first two of jaxlib's version, and the libtpu of jax[tpu]. For the
steps that were compiled on an H200, too, both gave the same figures.
"""

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jax.experimental import topologies

from mt5x import measured_memory, target
from mt5x.device_kinds import GIB, target_of
from mt5x.memory_plan import memory_of
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import Partitioner, make_mesh
from mt5x.step_setting import Setting
from scripts import named_model

FILE = Path(__file__).with_suffix(".json")

# What XLA asks of a GPU (its DeviceDescription), from NVIDIA's data sheets and programming guide.
_DESCRIPTION = """
gpu_device_info {{
  threads_per_block_limit: 1024 threads_per_warp: 32 threads_per_core_limit: 2048
  shared_memory_per_block: 49152 shared_memory_per_block_optin: {shared_memory_optin}
  shared_memory_per_core: {shared_memory}
  core_count: {cores} fpus_per_core: {fpus} clock_rate_ghz: {clock}
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  registers_per_core_limit: 65536 registers_per_block_limit: 65536
  memory_bandwidth: {bandwidth} l2_cache_size: {l2} device_memory_size: {memory}
  cuda_compute_capability {{ major: {major} }}
}}
platform_name: "CUDA"
dnn_version_info {{ major: 9 minor: 7 }}
runtime_version {{ major: 12 minor: 8 }}
device_description_str: "{name}"
"""
_GPUS: dict[str, dict[str, Any]] = {
    "h200": {
        "name": "NVIDIA H200", "major": 9, "cores": 132, "fpus": 128, "clock": 1.98,
        "shared_memory": 233472, "shared_memory_optin": 232448, "l2": 62914560,
        "bandwidth": 4800 * 10**9, "memory": 141 * GIB,
    },
    "a100-80": {
        "name": "NVIDIA A100", "major": 8, "cores": 108, "fpus": 64, "clock": 1.41,
        "shared_memory": 167936, "shared_memory_optin": 166912, "l2": 41943040,
        "bandwidth": 2039 * 10**9, "memory": 80 * GIB,
    },
}  # fmt: skip


class Case(NamedTuple):
    """A training step in bfloat16, of packed rows.

    Attributes:
      device: its name in `memory_plan`.
      model: a model file.
      shape: rows of the whole batch, inputs, targets.
      bindings: of gin.
      topology: the devices.
      partitions: of the network, and over 'fsdp'.
    """

    device: str
    model: str
    shape: tuple[int, int, int]
    bindings: Sequence[str] = ()
    topology: str = "1x1x1"
    partitions: tuple[int, int] = (1, 1)

    @property
    def name(self) -> str:
        """All of it."""
        rows, inputs, targets = self.shape
        words = [self.device, self.topology, self.model, f"{rows}x{inputs}/{targets}"]
        return " ".join([*words, "x".join(map(str, self.partitions)), *self.bindings])


CASES = [
    Case("h200", "mt5_small", (32, 512, 64)),
    Case("h200", "mt5_small", (128, 128, 32)),
    Case("h200", "mt5_base", (16, 512, 128)),
    Case("h200", "mt5_base", (128, 64, 16)),
    Case("h200", "mt5_base", (32, 1024, 128)),
    Case("h200", "mt5_base", (48, 1024, 128)),
    Case("h200", "mt5_base", (32, 1024, 128), ["OPTIMIZER=@optimizers.AdamW()"]),
    Case("h200", "mt5_base", (32, 1024, 128), ["REMAT_POLICY='minimal'"]),
    Case("h200", "mt5_base", (32, 1024, 128), ["REMAT_POLICY='full'"]),
    Case("h200", "mt5_large", (24, 1024, 128)),
    Case("h200", "mt5_large", (32, 1024, 128), ["REMAT_POLICY='full'"]),
    Case("h200", "mt5_xl", (8, 1024, 128), ["REMAT_POLICY='minimal'"]),
    Case("a100-80", "mt5_small", (32, 512, 64)),
    Case("a100-80", "mt5_base", (8, 512, 128)),
    Case("a100-80", "mt5_base", (16, 1024, 128), ["REMAT_POLICY='minimal'"]),
    Case("a100-80", "mt5_base", (16, 1024, 128), ["REMAT_POLICY='full'"]),
    Case("h200", "mt5_xl", (8, 512, 128), ["REMAT_POLICY='full'"]),
    Case("h200", "mt5_small", (64, 1024, 128), [], "1x1x8"),
    Case("h200", "mt5_small", (64, 1024, 128), [], "1x1x8", (1, 8)),
    Case("h200", "mt5_small", (64, 1024, 128), [], "1x1x8", (2, 4)),
    Case("h200", "mt5_base", (256, 1024, 128), [], "1x1x8"),
    Case("h200", "mt5_base", (256, 1024, 128), ["REMAT_POLICY='minimal'"], "1x1x8"),
    Case("h200", "mt5_base", (128, 512, 128), [], "1x1x8", (1, 8)),
    Case("h200", "mt5_base", (64, 512, 128), ["REMAT_POLICY='full'"], "1x1x8", (4, 2)),
    Case("h200", "mt5_large", (128, 1024, 128), ["REMAT_POLICY='minimal'"], "1x1x8", (1, 8)),
    Case("h200", "mt5_xl", (64, 1024, 128), ["REMAT_POLICY='full'"], "1x1x8", (1, 8)),
    Case("h200", "mt5_xl", (64, 512, 128), ["REMAT_POLICY='full'"], "1x1x8"),
    Case("a100-80", "mt5_base", (64, 512, 128), [], "1x1x8"),
    Case("a100-80", "mt5_base", (64, 512, 128), ["REMAT_POLICY='minimal'"], "1x1x8", (2, 2)),
    Case("a100-80", "mt5_large", (64, 1024, 128), ["REMAT_POLICY='full'"], "1x1x8", (1, 8)),
    Case("v5e", "mt5_small", (64, 512, 64), [], "v5e:2x2x1"),
    Case("v5p", "mt5_base", (32, 1024, 128), [], "v5p:2x2x1"),
    Case("v5p", "mt5_base", (32, 512, 128), [], "v5p:2x2x1", (1, 4)),
    Case("v5e", "mt5_base", (32, 512, 128), ["REMAT_POLICY='full'"], "v5e:2x2x1", (1, 4)),
    Case("v5e", "mt5_base", (64, 1024, 128), ["REMAT_POLICY='full'"], "v5e:2x4x1", (4, 1)),
    Case("v5e", "mt5_large", (32, 512, 128), ["REMAT_POLICY='minimal'"], "v5e:2x4x1", (2, 4)),
]


def planned(case: Case) -> tuple[EncoderDecoderModel, Setting]:
    """The model of a case, and what is planned for it."""
    model = named_model.load(case.model, ["DTYPE='bfloat16'", *case.bindings])
    rows, inputs, targets = case.shape
    devices = math.prod(int(size) for size in case.topology.rpartition(":")[2].split("x"))
    return model, Setting(
        devices=devices,
        partitioner=Partitioner(*case.partitions),
        remat_policy=model.module.config.remat_policy,
        batch_size=rows,
        inputs=inputs,
        targets=targets,
        target=target_of(case.device),
    )


def compiled_peak(case: Case) -> int:
    """Bytes that the step takes on a device at its worst moment, by the compiler."""
    model, setting = planned(case)
    found: Any
    if case.device in _GPUS:
        found = topologies.get_topology_desc(
            platform="cuda",
            target_config=_DESCRIPTION.format(**_GPUS[case.device]),
            topology=case.topology,
        )
    else:
        found = topologies.get_topology_desc(platform="tpu", topology_name=case.topology)
    mesh = make_mesh(*setting.partitioner.axis_sizes(setting.devices), devices=found.devices)
    batch = measured_memory.abstract_batch(*case.shape, packed=True)
    with target.planned(setting.target):
        step = measured_memory.compiled_train_step(model, mesh, batch)
    return measured_memory.of(step).peak


def peaks() -> dict[str, int]:
    """What each case takes, by its name."""
    found: dict[str, int] = json.loads(FILE.read_text())
    return found


def main() -> None:
    """Compiles the cases of the devices that are named, a minute or two each."""
    known = peaks()
    for case in CASES:
        if case.device in sys.argv[1:]:
            known[case.name] = compiled_peak(case)
            FILE.write_text(json.dumps(known, indent=1) + "\n")
            of_plan = memory_of(*planned(case)).total / known[case.name]
            print(f"{known[case.name] / GIB:.2f} GiB, {of_plan:.2f}: {case.name}", flush=True)


if __name__ == "__main__":
    main()
