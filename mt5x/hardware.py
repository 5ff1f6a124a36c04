"""What a device can compute at best, by the name that JAX gives it, for MFU.

FLOP/s of dense matrix products in bfloat16 (float16 where the device has no bfloat16: V100, T4),
without sparsity, of one JAX device: of a core of TPU v2 and v3, which have two a chip. A training
step in float32 is measured by the same peak.

Sources. TPU: "Peak compute per chip" on cloud.google.com/tpu/docs, the pages v2 to v6e. NVIDIA:
the data sheets of V100, T4, A100, L4, H100 and H200; those of L4, H100 and H200 give figures with
sparsity, which are twice as high.
"""

import re
from collections.abc import Sequence

import jax

# Read from above: the first whose words are all in the name.
_PEAK_TFLOPS: Sequence[tuple[str, float]] = (
    ("tpu v2", 22.5),
    ("tpu v3", 61.5),
    ("tpu v4 lite", 0.0),  # v4i does inference; its peak is not published with the others.
    ("tpu v4", 275.0),
    ("tpu v5 lite", 197.0),
    ("tpu v5e", 197.0),
    ("tpu v5p", 459.0),
    ("tpu v5", 459.0),
    ("tpu v6 lite", 918.0),
    ("tpu v6e", 918.0),
    ("v100 pcie", 112.0),
    ("v100 sxm2", 125.0),
    ("t4", 65.0),
    ("a100", 312.0),
    ("l4", 121.0),
    ("h100 pcie", 756.0),
    ("h100 nvl", 835.5),
    ("h100", 989.5),
    ("h200 nvl", 835.5),
    ("h200", 989.5),
)


def peak_flops(device_kind: str) -> float | None:
    """FLOP/s that a device can do at best, by its `device_kind`; None if it is not known."""
    words = re.findall(r"[a-z0-9]+", device_kind.lower())
    for name, teraflops in _PEAK_TFLOPS:
        if all(word in words for word in name.split()):
            return teraflops * 1e12 or None
    return None


def peak_of_devices(devices: Sequence[jax.Device]) -> float | None:
    """FLOP/s of all of them together; None if one of them is not known, as no CPU is."""
    peaks = [peak_flops(device.device_kind) for device in devices]
    known = [peak for peak in peaks if peak is not None]
    return sum(known) if known and len(known) == len(peaks) else None
