"""Accelerators that a study can be planned for: how many devices, how fast, how large, what price.

A name is that of a Cloud TPU slice or of a GPU and how many: `v5e-8`, `v5p-64`, `h200`, `h100-8`.
The number of a TPU slice is Google's: of chips for v5e and v6e, of TensorCores, two a chip, for the
others, so that `v5p-64` has 32 chips. JAX has one device a chip, and one a core on v2 and v3.

Prices are list prices per chip-hour in US dollars, on demand, in the cheapest American region of
the vendor that is named, without tax, storage or commitments; they move, and `--price` is yours.

  v4, v5e, v5p, v6e   Google Cloud, us-central2 (v4) and us-central1: the Cloud Billing catalogue
                      as SkyPilot publishes it, github.com/skypilot-org/skypilot-catalog,
                      catalogs/v8/gcp/vms.csv at 8427bbf, a slice's price over its chips
  a100, a100-80, h100 AWS, us-east-1, p4d.24xlarge 21.96, p4de.24xlarge 27.45, p5.48xlarge 55.04 an
                      hour for eight: AWS's price list as of 2026-11-09, in
                      github.com/datareceipts/data-receipts, 109-gpu-pricing/hyperscalers.json
  h200                AWS, us-east-1, p5en.48xlarge 63.296 an hour for eight, as of 2026-08-06:
                      github.com/dstackai/dstack/pull/4110

All read 2026-11-27. What has no source here has no price.
"""

import dataclasses
import re

from mt5x import hardware
from mt5x.device_kinds import DEVICE_MEMORY_GIB, GIB
from mt5x.errors import UserError, nearest

DOLLARS_PER_CHIP_HOUR = {
    "v4": 3.22, "v5e": 1.20, "v5p": 4.20, "v6e": 2.70,
    "a100": 2.7447, "a100-80": 3.4309, "h100": 6.88, "h200": 7.912,
}  # fmt: skip

# Slices that Google names by their TensorCores, and how many JAX devices a chip of each has.
_NAMED_BY_CORES = {"v2": 2, "v3": 2, "v4": 1, "v5p": 1}
_NAMED_BY_CHIPS = ("v5e", "v6e")
_CORES_OF_A_CHIP = 2
# Google's own name of v5e slices.
_ALIASES = {"v5litepod": "v5e"}
# Chips of the slices that can be had: of v4 and v5p whole hosts of four, of the others these.
_SLICES = {
    "v2": (4, 16, 64, 128, 256),
    "v3": (4, 16, 32, 64, 128, 256, 512, 1024),
    "v5e": (1, 4, 8, 16, 32, 64, 128, 256),
    "v6e": (1, 4, 8, 16, 32, 64, 128, 256),
}
# A slice of several hosts has four chips on each (eight of v5e and v6e are one host's).
_CHIPS_OF_A_HOST = 4
_CHIPS_OF_ONE_HOST = 8

CPU = "cpu"


@dataclasses.dataclass(frozen=True)
class Accelerator:
    """So many chips of a kind.

    Attributes:
      kind: 'v5e', 'h200', or 'cpu'.
      chips: what is paid for: TPU chips, GPUs, cores of a CPU.
      devices: JAX devices.
      device_flops: what one device does at best, FLOP/s of dense bfloat16 products; None where no
        figure is known, as of a CPU.
      device_memory: bytes of one device; None where it is not known.
      price: US dollars per chip-hour; None where no list price is known.
    """

    kind: str
    chips: int
    devices: int
    device_flops: float | None
    device_memory: int | None
    price: float | None

    @property
    def name(self) -> str:
        """As `named` reads it."""
        if self.kind in _NAMED_BY_CORES:
            return f"{self.kind}-{_CORES_OF_A_CHIP * self.chips}"
        is_gpu = self.kind not in (*_NAMED_BY_CHIPS, CPU)
        return self.kind if is_gpu and self.chips == 1 else f"{self.kind}-{self.chips}"

    @property
    def is_tpu(self) -> bool:
        """Whether it is a Cloud TPU slice."""
        return self.kind in _NAMED_BY_CORES or self.kind in _NAMED_BY_CHIPS

    @property
    def hosts(self) -> int:
        """Hosts of a TPU slice; 1 of anything else, which is taken to be one machine."""
        if not self.is_tpu or (self.kind in _NAMED_BY_CHIPS and self.chips <= _CHIPS_OF_ONE_HOST):
            return 1
        return -(-self.chips // _CHIPS_OF_A_HOST)

    @property
    def flops(self) -> float | None:
        """FLOP/s of all devices at best, or None."""
        return None if self.device_flops is None else self.devices * self.device_flops


def named(name: str) -> Accelerator:
    """Reads 'v5e-8', 'v5p-64', 'h200', 'a100-80-8' or 'cpu-2'.

    Raises:
      UserError: there is no such kind, or no slice of that size.
    """
    kind, count = _kind_and_count(name)
    if kind == CPU:
        # JAX makes one device of all cores.
        return Accelerator(CPU, count, 1, None, None, None)
    cores = kind in _NAMED_BY_CORES
    chips = count // _CORES_OF_A_CHIP if cores else count
    _refuse_other_slices(name, kind, chips, odd=cores and count % _CORES_OF_A_CHIP != 0)
    return _of_chips(kind, chips)


def larger(accelerator: Accelerator) -> list[Accelerator]:
    """The larger ones of the same kind: what slices there are, or each twice the one before."""
    chips = accelerator.chips
    if accelerator.kind in _SLICES:
        sizes = [size for size in _SLICES[accelerator.kind] if size > chips]
    else:
        sizes = [chips * 2**power for power in range(1, 8)]
    return [_of_chips(accelerator.kind, size) for size in sizes]


def _of_chips(kind: str, chips: int) -> Accelerator:
    tpu = kind in _NAMED_BY_CORES or kind in _NAMED_BY_CHIPS
    return Accelerator(
        kind=kind,
        chips=chips,
        devices=chips * _NAMED_BY_CORES.get(kind, 1),
        device_flops=hardware.peak_flops(f"TPU {kind}" if tpu else kind.partition("-")[0]),
        device_memory=DEVICE_MEMORY_GIB[kind] * GIB,
        price=DOLLARS_PER_CHIP_HOUR.get(kind),
    )


def _kind_and_count(name: str) -> tuple[str, int]:
    known = [*DEVICE_MEMORY_GIB, *_ALIASES, CPU]
    # The longest first: 'a100-80' is a kind, not eighty of 'a100'.
    for kind in sorted(known, key=len, reverse=True):
        match = re.fullmatch(rf"{re.escape(kind)}(?:-(\d+))?", name)
        if match and int(match[1] or 1) > 0:
            return _ALIASES.get(kind, kind), int(match[1] or 1)
    offer = nearest(name.rpartition("-")[0] or name, known, count=1)
    raise UserError(
        f"unknown accelerator {name}{offer}; write v5e-8, v5p-64, h200, h100-8 or cpu-2 "
        f"(known kinds: {', '.join(known)})"
    )


def _refuse_other_slices(name: str, kind: str, chips: int, odd: bool) -> None:
    if kind in _SLICES:
        there_is = not odd and chips in _SLICES[kind]
        factor = _CORES_OF_A_CHIP if kind in _NAMED_BY_CORES else 1
        sizes = ", ".join(f"{kind}-{factor * size}" for size in _SLICES[kind])
    elif kind in _NAMED_BY_CORES:
        there_is = not odd and chips > 0 and chips % _CHIPS_OF_A_HOST == 0
        per_host = _CORES_OF_A_CHIP * _CHIPS_OF_A_HOST
        sizes = f"{kind}-{per_host}, {kind}-{2 * per_host} and so on, {per_host} cores a host"
    else:
        return
    if not there_is:
        raise UserError(f"there is no TPU slice {name}; there are {sizes}")
