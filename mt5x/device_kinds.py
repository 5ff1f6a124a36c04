"""Accelerators by name: their memory, and what a step is traced for that will run on one."""

from mt5x import gpu_memory
from mt5x.errors import UserError, nearest
from mt5x.target import UNKNOWN, Target

GIB = 2**30

# Memory of one device (one JAX device: a core of v2 and v3) in GiB, by the vendors' data sheets.
DEVICE_MEMORY_GIB = {
    "v2": 8, "v3": 16, "v4": 32, "v5e": 16, "v5p": 95, "v6e": 32,
    "t4": 16, "v100": 16, "l4": 24, "a100": 40, "a100-80": 80, "h100": 80, "h200": 141,
}  # fmt: skip

# developer.nvidia.com/cuda-gpus
_COMPUTE_CAPABILITIES = {
    "t4": 7.5, "v100": 7.0, "l4": 8.9, "a100": 8.0, "a100-80": 8.0, "h100": 9.0, "h200": 9.0,
}  # fmt: skip


def capacity(device: str | None, memory: str | None) -> int | None:
    """Bytes of a device, by its name or as a text such as '16GiB'; None where neither is given.

    Raises:
      UserError: an unknown device, or a text that is no amount of memory.
    """
    if memory is not None:
        number, unit = memory.strip(), 1
        for suffix, size in (("GiB", GIB), ("GB", 10**9), ("G", GIB), ("MiB", 2**20)):
            if number.endswith(suffix):
                number, unit = number.removesuffix(suffix), size
                break
        try:
            return int(float(number) * unit)
        except ValueError:
            raise UserError(f"--memory={memory} is not an amount; write it as 16GiB") from None
    if device is None:
        return None
    if device not in DEVICE_MEMORY_GIB:
        raise UserError(
            f"unknown device {device}{nearest(device, DEVICE_MEMORY_GIB, count=1)}; "
            f"known are {', '.join(DEVICE_MEMORY_GIB)}, for others give --memory"
        )
    return DEVICE_MEMORY_GIB[device] * GIB


def target_of(device: str | None) -> Target:
    """What a step is traced for that will run on a device of `DEVICE_MEMORY_GIB`, or on a 'cpu'."""
    if device is None:
        return UNKNOWN
    if device == "cpu":
        return Target("cpu")
    if device not in _COMPUTE_CAPABILITIES:
        return Target("tpu")
    memory = int(gpu_memory.SHARE * DEVICE_MEMORY_GIB[device] * GIB)
    return Target("gpu", _COMPUTE_CAPABILITIES[device], memory)
