"""How much of its data a run has read: saved in every checkpoint, so that it goes on from there."""

import dataclasses
import json
from typing import Self

from mt5x.errors import UserError
from mt5x.input_pipeline import DatasetConfig

_MACROS = {
    "mixture_or_task_name": "MIXTURE_OR_TASK_NAME",
    "batch_size": "BATCH_SIZE",
    "seed": "RANDOM_SEED",
    "num_shards": "DATA_SHARDS",
}


@dataclasses.dataclass(frozen=True)
class DataPosition:
    """A place in a stream of batches, and what the stream is a function of.

    Attributes:
      mixture_or_task_name: what is read.
      split: its split.
      seed: of shuffling and mixing.
      batch_size: rows of a global batch.
      num_shards: parts that the stream is read in.
      batches: batches of the stream that are done with, those left out included.
      first_step: the run's step at which the stream began.
    """

    mixture_or_task_name: str
    split: str
    seed: int
    batch_size: int
    num_shards: int
    batches: int
    first_step: int

    @classmethod
    def of(cls, config: DatasetConfig, seed: int, batches: int, first_step: int) -> Self:
        """The place after so many batches of `config`; `seed` is used where it has none."""
        return cls(
            mixture_or_task_name=config.mixture_or_task_name,
            split=config.split,
            seed=seed if config.seed is None else config.seed,
            batch_size=config.batch_size,
            num_shards=config.num_shards,
            batches=batches,
            first_step=first_step,
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Reads what `to_json` wrote.

        Raises:
          ValueError: it is something else.
        """
        try:
            return cls(**json.loads(text))
        except TypeError as error:
            raise ValueError(f"not a position in the data: {error}") from error

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(dataclasses.asdict(self))

    def check_continues(self, now: "DataPosition") -> None:
        """Refuses to go on from here with another stream.

        Args:
          now: a position of the stream that the config describes.

        Raises:
          UserError: it is not this one; the first difference is named.
        """
        for field in dataclasses.fields(self):
            then, wanted = getattr(self, field.name), getattr(now, field.name)
            if field.name not in ("batches", "first_step") and then != wanted:
                raise UserError(
                    f"the checkpoint was trained on data with {_MACROS.get(field.name, field.name)}"
                    f"={then}, and this config has {wanted}; set it back, or start another run "
                    "from this checkpoint with INITIAL_CHECKPOINT_PATH"
                )
