"""The name of a stage: the hash of all that determines what it computes."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from mt5x.studies.code_version import code_version
from mt5x.studies.data_read import DataRead
from mt5x.studies.stage import Stage, resolve


def stage_key(resolved: str, parents: Sequence[str], data: str, seed: int) -> str:
    """Returns the short hash that names a stage.

    Args:
      resolved: its resolved configuration, without folders of this machine.
      parents: keys of its parents.
      data: fingerprint of the data that it reads.
      seed: its random seed.
    """
    determines = json.dumps([code_version(), resolved, list(parents), data, seed])
    return hashlib.sha256(determines.encode()).hexdigest()[:12]


def keys(stages: Sequence[Stage], data_dir: str | Path) -> dict[str, str]:
    """Returns the key of every stage by its name; loads the config of each, one after another.

    Args:
      stages: parents first.
      data_dir: where their data sets lie.
    """
    data = DataRead(data_dir)
    found: dict[str, str] = {}
    for stage in stages:
        parents = [found[name] for name in stage.parents]
        resolved = resolve(stage)
        read = data.of_loaded_stage(stage.kind)
        found[stage.name] = stage_key(resolved, parents, read, stage.seed)
    return found
