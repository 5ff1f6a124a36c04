"""MLQA: SQuAD's JSON, one file for each pair of a context's and a question's language.

`dev-context-ar-question-ar.json` becomes the validation split of mlqa/ar, as TFDS has it, and
`dev-context-de-question-ar.json` that of mlqa_cross/de-ar, which TFDS does not have: the answer to
an Arabic question in a German text.
"""

import functools
from collections.abc import Sequence

from tasks import languages
from tasks.errors import DataError
from tasks.importers import squad
from tasks.importers.base import Importer, Match, Plan
from tasks.tfds_schemas import SCHEMAS


def _plan(matches: Sequence[Match], plan: Plan) -> None:
    (schema,) = SCHEMAS["mlqa"]
    (cross,) = SCHEMAS["mlqa_cross"]
    same: dict[str, list[str]] = {}
    for match in matches:
        context, question = match["context"], match["question"]
        for code in (context, question):
            if code not in languages.MLQA:
                raise DataError(
                    f"{match.path}: '{code}' is not a language of this data set; it has "
                    f"{' '.join(languages.MLQA)}"
                )
        if context == question:
            name = f"mlqa/{context}:{schema.version}"
            same.setdefault(match.split, []).append(context)
        else:
            name = f"mlqa_cross/{context}-{question}:{cross.version}"
        plan.add(
            name,
            match.split,
            [match.path],
            functools.partial(squad.rows, match.path),
        )
    for split in schema.splits:
        plan.note_missing(f"mlqa {split}", languages.MLQA, same.get(split, ()))


IMPORTER = Importer(
    name="MLQA",
    patterns=(
        r"(?P<split>dev|test)-context-(?P<context>[a-z]+)-question-(?P<question>[a-z]+)\.json",
    ),
    layout=("{dev,test}-context-L-question-L.json  MLQA, of one language or across two",),
    plan=_plan,
)
