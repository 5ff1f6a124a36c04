"""The name of a stage: the hash of all that determines what it computes."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from mt5x.studies.code_version import code_version
from mt5x.studies.stage import Stage, resolve

_DATA_FILES = ("dataset_info.json", "world.json", "sentencepiece.model")


def stage_key(resolved: str, parents: Sequence[str], data: str, seed: int) -> str:
    """Returns the short hash that names a stage.

    Args:
      resolved: its resolved configuration, without folders of this machine.
      parents: keys of its parents.
      data: fingerprint of the data.
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
    data = data_fingerprint(data_dir)
    found: dict[str, str] = {}
    for stage in stages:
        parents = [found[name] for name in stage.parents]
        found[stage.name] = stage_key(resolve(stage), parents, data, stage.seed)
    return found


def data_fingerprint(data_dir: str | Path) -> str:
    """Returns a hash over the data sets' own records, the vocabulary and the world's truth."""
    digest = hashlib.sha256()
    folder = Path(data_dir)
    for file in sorted(folder.rglob("*")):
        if file.name in _DATA_FILES:
            digest.update(str(file.relative_to(folder)).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()
