"""What of a study is still to be run, from the state of each stage."""

from collections.abc import Mapping, Sequence

from mt5x.studies import store
from mt5x.studies.stage import Stage


def to_do(stages: Sequence[Stage], states: Mapping[str, str]) -> list[Stage]:
    """The stages that are not done and can be, now or when others have ended.

    What has failed cannot, nor what needs it. A pruned stage is done again only for a stage that
    needs what it wrote.

    Args:
      stages: all of a study, parents first.
      states: what each is (`store.state`), by its name.

    Returns:
      parents first.
    """
    possible: set[str] = set()
    for stage in stages:
        state = states[stage.name]
        begun = state in (store.DONE, store.RUNNING)
        if begun or (state != store.FAILED and possible.issuperset(stage.parents)):
            possible.add(stage.name)
    found: list[Stage] = []
    needed: set[str] = set()
    for stage in reversed(stages):
        state = states[stage.name]
        waits = state == store.WAITING or (state == store.PRUNED and stage.name in needed)
        if stage.name in possible and (waits or state == store.RUNNING):
            found.append(stage)
            if waits:
                needed.update(stage.parents)
    return found[::-1]
