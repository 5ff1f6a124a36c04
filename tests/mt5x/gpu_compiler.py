"""What XLA's GPU compiler assigns to training steps, compiled for GPUs that need not be there.

    JAX_PLATFORMS= JAX_SKIP_CUDA_CONSTRAINTS_CHECK=1 python -m tests.mt5x.gpu_compiler

writes gpu_compiler.json, which `test_memory_plan` holds the plan against. It needs neither a GPU
nor its driver, but JAX's CUDA plugin and ptxas: `pip install --no-deps jax-cuda12-plugin
jax-cuda12-pjrt nvidia-cuda-nvcc-cu12`, the first two of jaxlib's version. For the steps that were
compiled on an H200, too, both gave the same figures.
"""

import json
from pathlib import Path
from typing import Any

import jax
from jax.experimental import topologies

from mt5x import measured_memory, target
from mt5x.memory_plan import GIB, Setting, target_of
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import make_mesh
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

CASES: list[tuple[str, str, tuple[int, int, int], list[str]]] = [
    ("h200", "mt5_small", (32, 512, 64), []),
    ("h200", "mt5_small", (128, 128, 32), []),
    ("h200", "mt5_base", (16, 512, 128), []),
    ("h200", "mt5_base", (128, 64, 16), []),
    ("h200", "mt5_base", (32, 1024, 128), []),
    ("h200", "mt5_base", (48, 1024, 128), []),
    ("h200", "mt5_base", (32, 1024, 128), ["OPTIMIZER=@optimizers.AdamW()"]),
    ("h200", "mt5_base", (32, 1024, 128), ["REMAT_POLICY='minimal'"]),
    ("h200", "mt5_base", (32, 1024, 128), ["REMAT_POLICY='full'"]),
    ("h200", "mt5_large", (24, 1024, 128), []),
    ("h200", "mt5_large", (32, 1024, 128), ["REMAT_POLICY='full'"]),
    ("h200", "mt5_xl", (8, 1024, 128), ["REMAT_POLICY='minimal'"]),
    ("a100-80", "mt5_small", (32, 512, 64), []),
    ("a100-80", "mt5_base", (8, 512, 128), []),
    ("a100-80", "mt5_base", (16, 1024, 128), ["REMAT_POLICY='minimal'"]),
    ("a100-80", "mt5_base", (16, 1024, 128), ["REMAT_POLICY='full'"]),
]
"""(device, model file, (rows, inputs, targets), gin bindings), all in bfloat16 with packed rows."""


def planned(
    device: str, name: str, shape: tuple[int, int, int], bindings: list[str]
) -> tuple[EncoderDecoderModel, Setting]:
    """The model of a case, and what is planned for it."""
    model = named_model.load(name, ["DTYPE='bfloat16'", *bindings])
    rows, inputs, targets = shape
    policy = model.module.config.remat_policy
    return model, Setting(
        devices=1,
        remat_policy=policy,
        batch_size=rows,
        inputs=inputs,
        targets=targets,
        target=target_of(device),
    )


def compiled_peak(device: str, model: EncoderDecoderModel, setting: Setting) -> int:
    """Bytes that the step takes at its worst moment, by the compiler."""
    found: Any = topologies.get_topology_desc(
        platform="cuda", target_config=_DESCRIPTION.format(**_GPUS[device]), topology="1x1x1"
    )
    batch = measured_memory.abstract_batch(
        setting.batch_size, setting.inputs, setting.targets, packed=True
    )
    with target.planned(setting.target):
        step = measured_memory.compiled_train_step(
            model, make_mesh(1, 1, devices=found.devices), batch
        )
    return measured_memory.of(step).peak


def main() -> None:
    """Compiles all cases, a minute each, and writes what they take."""
    peaks = []
    for case in CASES:
        device, name, shape, bindings = case
        peak = compiled_peak(device, *planned(*case))
        print(f"{device} {name} {shape} {' '.join(bindings)}: {peak / GIB:.2f} GiB", flush=True)
        peaks.append([*case, peak])
    FILE.write_text(json.dumps({"jax": jax.__version__, "peaks": peaks}, indent=1) + "\n")


if __name__ == "__main__":
    main()
