"""`mt5x plan`: what a training step needs of each device, and what would make it fit."""

import argparse
import contextlib
import dataclasses
from typing import Any

from scripts import named_model

SUMMARY = "say where a model's arrays will live and whether training fits, without any device"
EXAMPLES = """\
  mt5x plan --model=mt5_xxl --devices=32 --device=v4
  mt5x plan --model=mt5_base --devices=1 --memory=16GiB --batch_size=32 --inputs=512 --targets=64
  mt5x plan --model=mt5_xl --devices=8 --gin.OPTIMIZER='@optimizers.AdamW()' \\
    --gin.FREEZE="['encoder/.*', 'token_embedder/.*']"
  mt5x plan --model=mt5_small --devices=8 --num_partitions=2 --compile
what it advises goes to `mt5x train` as --gin.NUM_PARTITIONS=4 --gin.REMAT_POLICY=full ...
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the model, the devices, and the settings of training that change what is needed."""
    parser.add_argument(
        "--model", required=True, metavar="NAME", help="a file of t5x_configs/models: mt5_xxl"
    )
    parser.add_argument("--devices", type=int, required=True, metavar="N", help="all devices")
    parser.add_argument(
        "--num_partitions", type=int, default=1, metavar="N", help="NUM_PARTITIONS of the run"
    )
    parser.add_argument(
        "--fsdp_partitions", type=int, default=1, metavar="N", help="FSDP_PARTITIONS of the run"
    )
    parser.add_argument(
        "--remat_policy",
        choices=("none", "minimal", "full"),
        help="REMAT_POLICY of the run; the model file's by default",
    )
    parser.add_argument(
        "--num_microbatches", type=int, default=1, metavar="N", help="NUM_MICROBATCHES of the run"
    )
    parser.add_argument(
        "--batch_size", type=int, default=128, metavar="N", help="BATCH_SIZE of the run (128)"
    )
    parser.add_argument(
        "--inputs", type=int, default=1024, metavar="N", help="tokens of the inputs (1024)"
    )
    parser.add_argument(
        "--targets", type=int, default=128, metavar="N", help="tokens of the targets (128)"
    )
    parser.add_argument("--device", metavar="NAME", help="what must hold it: v4, v5e, a100, h100")
    parser.add_argument("--memory", metavar="SIZE", help="or how much one device has: 16GiB")
    parser.add_argument(
        "--compile",
        action="store_true",
        help="also compile the step for so many devices of this machine, CPU's if it has no others "
        "(nothing is allocated; takes a minute or more), and print what the compiler assigns",
    )
    parser.add_argument(
        "--gin_bindings",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a macro of the model file, such as OPTIMIZER, FREEZE or DTYPE; also --gin.NAME=VALUE",
    )


def run(args: argparse.Namespace) -> int:
    """Prints the plan; exit code 1 where it does not fit."""
    from mt5x import device_kinds, memory_plan, plan_page
    from mt5x.errors import UserError
    from mt5x.partitioning import Partitioner
    from mt5x.step_setting import Setting

    for name in ("devices", "batch_size", "inputs", "targets"):
        if getattr(args, name) < 1:
            raise UserError(f"--{name}={getattr(args, name)} must be 1 or more")
    memory = device_kinds.capacity(args.device, args.memory)
    model = named_model.load(args.model, args.gin_bindings)
    config = model.module.config
    setting = Setting(
        devices=args.devices,
        partitioner=Partitioner(args.num_partitions, args.fsdp_partitions),
        remat_policy=args.remat_policy or config.remat_policy,
        num_microbatches=args.num_microbatches,
        batch_size=args.batch_size,
        inputs=args.inputs,
        targets=args.targets,
        target=device_kinds.target_of(args.device),
    )
    needed = memory_plan.memory_of(model, setting)
    print(plan_page.page(model, setting, needed))
    if args.compile:
        print(f"\n{_compiled(model, setting)}")
    if memory is None:
        return 0
    name = args.device or "the device"
    usable = memory_plan.USABLE
    has = f"{name} has {plan_page.gib(memory)}, of which {usable:.0%} are counted on"
    if memory_plan.fits(needed, memory):
        print(f"\nfits: {has}")
        return 0
    better = memory_plan.what_fits(model, setting, memory)
    print(f"\ndoes not fit: {has}")
    if better is None:
        print("no partitioning, recomputation or microbatches make it fit; use more devices")
    else:
        total = memory_plan.memory_of(model, better).total
        print(f"{plan_page.changes(setting, better)} would make it fit, in {plan_page.gib(total)}")
    return 1


def _compiled(model: Any, setting: Any) -> str:
    """Compiles the step for devices of this machine, and returns what it takes as text.

    Args:
      model: an `EncoderDecoderModel`.
      setting: a `Setting`.

    Raises:
      UserError: the machine has too few, and their number is settled.
    """
    import jax

    from mt5x import measured_memory, partitioning, plan_page
    from mt5x.errors import UserError

    # CPU devices are as many as are asked for, until the first is used.
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", setting.devices)
    devices = jax.devices()
    if len(devices) < setting.devices:
        devices = jax.devices("cpu")
    if len(devices) < setting.devices:
        raise UserError(
            f"--compile for {setting.devices} devices found {len(devices)}; "
            f"set JAX_NUM_CPU_DEVICES={setting.devices}"
        )
    config = dataclasses.replace(model.module.config, remat_policy=setting.remat_policy)
    model = dataclasses.replace(model, module=type(model.module)(config))
    axes = setting.partitioner.axis_sizes(setting.devices)
    batch = measured_memory.abstract_batch(
        setting.batch_size, setting.inputs, setting.targets, packed=True
    )
    found = measured_memory.of(
        measured_memory.compiled_train_step(
            model, partitioning.make_mesh(*axes, devices=devices), batch, setting.num_microbatches
        )
    )
    return plan_page.compiled(devices[0].platform, setting.devices, found)
