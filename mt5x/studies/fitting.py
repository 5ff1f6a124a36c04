"""How a stage fits an accelerator: the mesh and recomputation it needs, or why it cannot."""

import dataclasses
import functools

from mt5x import device_kinds, memory_plan, plan_page
from mt5x.errors import UserError
from mt5x.partitioning import Partitioner, divisors
from mt5x.step_setting import Setting
from mt5x.studies import accelerators
from mt5x.studies.accelerators import Accelerator
from mt5x.studies.workload import Workload

# Of a device's usable memory, what parameters may take where nothing is trained: the rest is for
# activations and the decoder's cache.
_PARAMETERS_SHARE = 0.5


def fitted(name: str, work: Workload, accelerator: Accelerator) -> Setting | None:
    """Returns how the stage runs: as its config says where that fits, else with the least change.

    Args:
      name: the stage's, for the message.
      work: what it computes.
      accelerator: where.

    Returns:
      The setting; None where no device is used.

    Raises:
      UserError: it does not fit; what would hold it is named.
    """
    if work.model is None:
        return None
    found = _setting_that_fits(work, accelerator)
    if found is None:
        raise UserError(_why_not(name, work, accelerator))
    return found


def bindings(work: Workload, setting: Setting) -> list[str]:
    """The gin bindings beyond a stage's config with which it runs in this setting."""
    asked = wanted(work, setting.devices)
    macros = {
        "NUM_PARTITIONS": (setting.partitioner.num_partitions, asked.partitioner.num_partitions),
        "FSDP_PARTITIONS": (setting.partitioner.fsdp_partitions, asked.partitioner.fsdp_partitions),
        "REMAT_POLICY": (setting.remat_policy, asked.remat_policy),
        "NUM_MICROBATCHES": (setting.num_microbatches, asked.num_microbatches),
    }
    return [f"{name}={value}" for name, (value, before) in macros.items() if value != before]


@functools.lru_cache(maxsize=256)
def _setting_that_fits(work: Workload, accelerator: Accelerator) -> Setting | None:
    asked = wanted(work, accelerator.devices, accelerator.kind)
    memory = accelerator.device_memory
    if memory is None:
        asked.check()
        return asked
    if not work.steps:
        return _for_evaluation(work, asked, memory)
    assert work.model is not None
    if _is_possible(asked) and memory_plan.fits(memory_plan.memory_of(work.model, asked), memory):
        return asked
    return memory_plan.what_fits(work.model, asked, memory)


def wanted(work: Workload, devices: int, kind: str | None = None) -> Setting:
    """What the stage's config asks for, on so many devices of a kind."""
    assert work.model is not None
    return Setting(
        devices=devices,
        partitioner=work.partitioner,
        remat_policy=work.model.module.config.remat_policy,
        num_microbatches=work.num_microbatches,
        batch_size=work.batch_size,
        inputs=work.inputs,
        targets=work.targets,
        target=device_kinds.target_of(kind),
    )


def _is_possible(setting: Setting) -> bool:
    """Whether partitions and batch divide; an advice is looked for where they do not."""
    try:
        setting.check()
    except UserError:
        return False
    return True


def _for_evaluation(work: Workload, asked: Setting, memory: int) -> Setting | None:
    """The fewest partitions, from the config's own on, whose parameters leave room for the rest."""
    assert work.model is not None
    for partitions in divisors(asked.devices):
        if partitions < work.partitioner.num_partitions:
            continue
        for fsdp in divisors(asked.devices // partitions):
            setting = dataclasses.replace(asked, partitioner=Partitioner(partitions, fsdp))
            if fsdp < work.partitioner.fsdp_partitions or not _is_possible(setting):
                continue
            parameters = memory_plan.memory_of(work.model, setting).parameters
            if parameters <= _PARAMETERS_SHARE * memory_plan.USABLE * memory:
                return setting
    return None


def _why_not(name: str, work: Workload, accelerator: Accelerator) -> str:
    assert accelerator.device_memory is not None
    assert work.model is not None
    config = work.model.module.config
    size = f"width {config.emb_dim}, {config.num_encoder_layers} + {config.num_decoder_layers}"
    batch = f"{work.batch_size} rows of {work.inputs}/{work.targets} tokens"
    what = f"{name} (a network of {size} layers, {batch})"
    memory = plan_page.gib(accelerator.device_memory)
    sentence = (
        f"{what} does not fit {accelerator.name}, {accelerator.devices} x {memory}, with any "
        "partitions, recomputation or microbatches"
    )
    for larger in accelerators.larger(accelerator):
        setting = _setting_that_fits(work, larger)
        if setting is not None:
            how = " ".join(bindings(work, setting))
            return f"{sentence}; {larger.name} would hold it{f' with {how}' if how else ''}"
    return f"{sentence}, nor does any {accelerator.kind} that there is: choose devices with more"
