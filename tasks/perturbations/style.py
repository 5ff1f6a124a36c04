"""How a text is written, where the noise depends on it."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Style:
    """The writer's side of a text.

    Attributes:
      language: ISO 639-1 code; decides between the keyboards of one script.
      spaced: whether punctuation marks stand between spaces, as tokens do.
    """

    language: str = ""
    spaced: bool = False
