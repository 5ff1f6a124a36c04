"""Typological features of languages, read from the data files that the lang2vec package carries.

lang2vec (Littell et al. 2017, URIEL) 1.1.2 holds its tables as `.npz` files: `feats`, `langs`,
`sources` and `data[language, feature, source]`, where -1 means unknown. The package itself is not
imported: it needs `pkg_resources`, which newer setuptools no longer have.
"""

import dataclasses
import functools
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tasks import languages
from tasks.errors import DataError

# ISO 639-1, as the data sets write languages, to lang2vec's code. What it knows of Estonian it has
# under the code of all Estonian, not of the standard language.
ISO_639_3 = {code: one.iso639_3 for code, one in languages.table().items()} | {"et": "est"}

# lang2vec's feature sets: file, source within it, prefix of the feature names. The `knn` sets fill
# unknown values with those of related and neighbouring languages.
FEATURE_SETS = {
    "syntax_wals": ("features.npz", "WALS", "S_"),
    "phonology_wals": ("features.npz", "WALS", "P_"),
    "syntax_knn": ("feature_predictions.npz", "predicted", "S_"),
    "phonology_knn": ("feature_predictions.npz", "predicted", "P_"),
    "inventory_knn": ("feature_predictions.npz", "predicted", "INV_"),
    "fam": ("family_features.npz", "FAM", ""),
    "geo": ("geocoord_features.npz", "GEOCOORDS", ""),
}


@dataclasses.dataclass(frozen=True)
class FeatureTable:
    """One feature set of all languages.

    Attributes:
      languages: ISO 639-3 code to row.
      features: feature name to column.
      values: float32 [languages, features]; NaN where unknown.
    """

    languages: dict[str, int]
    features: dict[str, int]
    values: np.ndarray


@functools.cache
def load(feature_set: str) -> FeatureTable:
    """Reads a feature set from lang2vec's data.

    Raises:
      DataError: an unknown set, or lang2vec is not installed.
    """
    if feature_set not in FEATURE_SETS:
        raise DataError(f"no feature set '{feature_set}'; known are {', '.join(FEATURE_SETS)}")
    file_name, source, prefix = FEATURE_SETS[feature_set]
    try:
        # Not the import system: lang2vec installs a script of its own name beside `mt5x`.
        installed = importlib.metadata.distribution("lang2vec")
    except importlib.metadata.PackageNotFoundError as error:
        raise DataError(
            "the typology needs lang2vec's data: pip install lang2vec==1.1.2"
        ) from error
    path = Path(str(installed.locate_file(f"lang2vec/data/{file_name}")))
    # Opened lazily member by member; the arrays are of plain types, so nothing is unpickled.
    with np.load(path, allow_pickle=False) as file:
        layer = [str(name) for name in file["sources"]].index(source)
        names = [str(name) for name in file["feats"]]
        columns = [i for i, name in enumerate(names) if name.startswith(prefix)]
        values = file["data"][:, columns, layer].astype(np.float32)
        codes = [str(code) for code in file["langs"]]
    values[values < 0] = np.nan
    return FeatureTable(
        languages={code: row for row, code in enumerate(codes)},
        features={names[i]: column for column, i in enumerate(columns)},
        values=values,
    )


def vectors(feature_set: str, codes: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Returns feature names and float32 values [language, feature] of ISO 639-1 languages.

    Raises:
      DataError: a language or the set is unknown.
    """
    table = load(feature_set)
    rows = [table.languages[_code(table, language)] for language in codes]
    return list(table.features), table.values[rows]


def value(language: str, feature: str) -> float:
    """Returns a binary syntactic feature, from WALS where known, else lang2vec's prediction.

    Raises:
      DataError: the language or feature is unknown.
    """
    for feature_set in ("syntax_wals", "syntax_knn"):
        table = load(feature_set)
        if feature not in table.features:
            raise DataError(f"lang2vec has no syntactic feature '{feature}'")
        found = table.values[table.languages[_code(table, language)], table.features[feature]]
        if not np.isnan(found):
            return float(found)
    raise DataError(f"lang2vec neither knows nor predicts '{feature}' of '{language}'")


def cosine_similarity(values: np.ndarray) -> np.ndarray:
    """Returns float64 [n, n], the cosines between rows of [n, features] that have no NaN.

    This is a similarity of lang2vec's vectors, not one of the distances published with URIEL.
    """
    values = values.astype(np.float64)
    norm = np.sqrt(np.square(values).sum(axis=1, keepdims=True))
    values = values / np.maximum(norm, 1e-12)
    return values @ values.T


def _code(table: FeatureTable, language: str) -> str:
    code = ISO_639_3.get(language, language)
    if code not in table.languages:
        raise DataError(f"lang2vec has no language '{language}'")
    return code
