"""Rows for every data set of the schemas, made up from the types of their features.

Enough to build every task and to give batches, in files that TFDS and the tasks read as they read
real ones. What a format needs of a row beyond its types is stated here, once.
"""

from pathlib import Path
from typing import Any

from tasks import languages, tfds_schemas, tfds_writer
from tasks.tfds_schemas import (
    Boolean,
    Integer,
    Label,
    Sequence,
    Text,
    Translations,
    VariableTranslations,
)

# One row at least for every language of TyDiQA.
ROWS = 9
_CONTEXT = "Mto Nile ni mrefu, नदी लंबी है."
_ANSWER = "mrefu"
_DOCUMENT = " ".join(f"neno{number}" for number in range(60))


def full_names() -> list[str]:
    """Every data set of the schemas with config and version, 'wikiann/en:1.0.0'.

    Of the configs of wikiann those that a task reads: TFDS has 176.
    """
    found = []
    for name, groups in tfds_schemas.SCHEMAS.items():
        for schema in groups:
            configs = schema.configs or (None,)
            for config in configs:
                if name == "wikiann" and config not in languages.PANX:
                    continue
                found.append(
                    f"{name}/{config}:{schema.version}" if config else f"{name}:{schema.version}"
                )
    return found


def write(name: str, folder: Path) -> None:
    """Writes a data set with all its splits."""
    schema = tfds_schemas.schema(name)
    splits = list(schema.splits)
    if name.startswith("c4/"):
        stored = [languages.MC4_CODES.get(code, code) for code in languages.MC4]
        splits = [split for code in stored for split in (code, f"{code}-validation")]
    tfds_writer.write_dataset(
        name, {split: [row(name, number) for number in range(ROWS)] for split in splits}, folder
    )


def row(name: str, number: int) -> dict[str, Any]:
    """Returns one row of a data set."""
    schema = tfds_schemas.schema(name)
    made = {key: _value(spec, f"{key} {number}", number) for key, spec in schema.features.items()}
    return made | _needed(name.partition("/")[0].partition(":")[0], made, number)


def _value(spec: Any, text: str, number: int) -> Any:
    match spec:
        case Text():
            return text
        case Integer() | Boolean():
            return number % 2
        case Label(names=names):
            return number % len(names)
        case Sequence(element=dict(parts)):
            return {key: [_value(part, text, number)] for key, part in parts.items()}
        case Sequence(element=element):
            return [_value(element, f"{text}{n}", number + n) for n in range(3)]
        case Translations(languages=codes):
            return dict.fromkeys(codes, text)
        case VariableTranslations(languages=codes):
            return {code: [text] for code in codes}
    raise TypeError(f"no value for {spec}")


def _needed(data: str, made: dict[str, Any], number: int) -> dict[str, Any]:
    """What the formats expect of a row beyond the types of its features."""
    match data:
        case "squad" | "xquad" | "mlqa" | "mlqa_cross" | "tydi_qa":
            # TyDiQA's ids begin with the name of the language: every language has a row.
            name = list(languages.TYDIQA_NAMES.values())[number % len(languages.TYDIQA_NAMES)]
            start = _CONTEXT.index(_ANSWER)
            answers = {"text": [_ANSWER], "answer_start": [start]}
            return {"id": f"{name}-{number}", "context": _CONTEXT, "answers": answers}
        case "wikiann":
            return {"spans": ["PER: tokens", "LOC: Åbo"] if number else ["None"]}
        case "commonsense_qa":
            choices = {"label": list("ABCDE"), "text": [f"choice {key}" for key in "ABCDE"]}
            return {"choices": choices, "answerKey": "ABCDE"[number % 5]}
        case "hellaswag":
            return {"endings": [f"ending {n}" for n in range(4)], "label": number % 4}
        case "bucc_mining":
            side, other = ("source", "target") if number % 2 else ("target", "source")
            return {"id": f"{side}-{number // 2}", "side": side, "pair": f"{other}-{number // 2}"}
        case "c4":
            return {"text": f"{number} {_DOCUMENT}"}
    return {}
