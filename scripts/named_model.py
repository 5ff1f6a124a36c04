"""The model of a file of t5x_configs/models, by its name, without its vocabulary."""

from collections.abc import Sequence
from typing import Any

from scripts.quiet_import import hidden


def load(name: str, bindings: Sequence[str] = ()) -> Any:
    """Returns the `EncoderDecoderModel` of a model file.

    Args:
      name: the file's name without its ending, such as 'mt5_small'.
      bindings: gin bindings, such as 'DTYPE=bfloat16'.

    Raises:
      UserError: there is no such file.
    """
    from mt5x import config, models
    from mt5x.errors import UserError, nearest

    folder = config.INSTALLATION_ROOT / "t5x_configs" / "models"
    known = sorted(file.stem for file in folder.glob("*_*.gin"))
    if name not in known:
        raise UserError(f"unknown model {name}{nearest(name, known)}; known are {', '.join(known)}")
    # The tasks, which have the vocabulary, would bring TensorFlow.
    with hidden(["tasks"]):
        config.load(
            [str(folder / f"{name}.gin")],
            ["EncoderDecoderModel.vocabulary=None", *bindings],
            skip=["vocabulary.of_process"],
        )
    return config.call(models.EncoderDecoderModel)
