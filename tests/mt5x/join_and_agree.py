"""Joins the processes that the environment tells of, and says what they agree on.

`python -m tests.mt5x.join_and_agree [FLAG=VALUE ...]` takes the fields of `Processes`.
"""

import sys

from mt5x import distributed
from mt5x.errors import UserError


def main(flags: dict[str, str]) -> None:
    """Prints the number of processes, and what process 0 says."""
    numbers = {name: int(value) for name, value in flags.items() if value.isdigit()}
    told: dict[str, object] = {**flags, **numbers}
    distributed.join(distributed.Processes(**told))  # type: ignore[arg-type]
    import jax

    said = distributed.from_first(lambda: {"index": jax.process_index(), "half": 0.5})
    print(f"{jax.process_count()} processes, {jax.device_count()} devices, {said}")
    distributed.barrier("agree")
    distributed.refuse_disagreement({"address": "one", "config": "one"}, "do nothing")
    distributed.refuse_disagreement({"config": jax.process_index()}, "start them alike")


if __name__ == "__main__":
    try:
        main(dict(flag.split("=", 1) for flag in sys.argv[1:]))
    except UserError as error:
        print(f"mt5x: error: {error}", file=sys.stderr)
        distributed.leave(2)
        sys.exit(2)
