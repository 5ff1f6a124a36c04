"""XQuAD: SQuAD's JSON, one file a language, and XTREME's machine translations of SQuAD 1.1.

`xquad.hi.json` becomes the test split of xquad/hi. XTREME's files become the splits of TFDS's
names: `squad.translate.train.en-hi.json` translate-train, `squad.translate.dev.en-hi.json`
translate-dev, `xquad.translate.test.hi-en.json` (into English) translate-test.
"""

import functools
from collections.abc import Sequence

from tasks import languages
from tasks.importers import squad
from tasks.importers.base import Importer, Match, Plan, check_language
from tasks.tfds_schemas import SCHEMAS


def _plan(matches: Sequence[Match], plan: Plan) -> None:
    version = SCHEMAS["xquad"][0].version
    tested = []
    for match in matches:
        original = match.pattern == 0
        check_language(match, [c for c in languages.XQUAD if original or c != "en"])
        name = f"xquad/{match['language']}:{version}"
        split = "test" if original else f"translate-{match['split']}"
        read = squad.rows if original else squad.translated_rows
        plan.add(
            name,
            split,
            [match.path],
            functools.partial(read, match.path),
        )
        if original:
            tested.append(match["language"])
    plan.note_missing("xquad test", languages.XQUAD, tested)


IMPORTER = Importer(
    name="XQuAD",
    patterns=(
        r"xquad\.(?P<language>[a-z]+)\.json",
        r"squad\.translate\.(?P<split>train|dev)\.en-(?P<language>[a-z]+)\.json",
        r"xquad\.translate\.(?P<split>test)\.(?P<language>[a-z]+)-en\.json",
    ),
    layout=(
        "xquad.LANGUAGE.json  XQuAD",
        "squad.translate.{train,dev}.en-LANGUAGE.json  XTREME's translations of SQuAD 1.1",
        "xquad.translate.test.LANGUAGE-en.json  XTREME's translations into English",
    ),
    plan=_plan,
)
