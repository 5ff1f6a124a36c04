"""All the numbers of a report, computed once; what follows only words and draws them."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from analysis import correlation, multiplicity
from analysis.correlation import Correlation, correlate
from analysis.curves import Curve, curves
from analysis.features import model, planted, resources, text, typology, wals
from analysis.features.pair_feature import PairFeature
from analysis.gains import Gain, gains
from analysis.languages import kinship_order
from analysis.lm_results import LmNumber, lm_numbers
from analysis.mixed_effects import MixedEffects, mixed_effects
from analysis.mrqap import Regression, regress
from analysis.pairs import PairMatrix
from analysis.prediction import LANGUAGES, PAIRS, Prediction, foretell
from analysis.rank_correlation import PERMUTATIONS as RANK_PERMUTATIONS
from analysis.rank_correlation import RankCorrelation, rank_correlate
from analysis.regularised import LASSO, RIDGE, Regularised, regularise
from analysis.robustness import Drop, drops
from analysis.slope import Slope, slope
from analysis.source_sets import SourceSet, source_sets
from analysis.transfer import FORMS, Transfer, adjusted, main_transfers, transfers
from mt5x.errors import UserError
from mt5x.studies.results import ResultRow

SIGNIFICANT = 0.05

LEXICAL = ("planted_lexicon", "word_overlap", "piece_overlap")
SYNTACTIC = ("planted_syntax", "syntax", "syntax_imputed")
TOGETHER = (
    "syntax_imputed", "inventory", "family", "geography", "word_overlap", "lm_source", "lm_target",
)  # fmt: skip
"""What a regression and a prediction take together: one measured feature of each kind."""


@dataclasses.dataclass(frozen=True)
class Findings:
    """What a result table says.

    Attributes:
      rows: the result rows.
      tables: one transfer table per task and metric.
      main: one per task, of its main metric.
      languages: all languages, relatives side by side.
      features: features known for at least one pair, the planted ones first.
      absent: keys of features that are known for no pair.
      correlations: (task, feature key, form of transfer) -> correlation.
      ranks: (task, feature key) -> rank correlations with the score.
      slopes: (task, feature key) -> slope of the score between the languages' levels.
      predictions: (task, what is not seen) -> how well `TOGETHER` foretell it.
      corrected: (task, feature key) -> method of `multiplicity` -> p of Pearson's r with the score,
        corrected for all features of the task.
      corrected_over_all: the same, corrected for all features and tasks of the report.
      regressions: task -> regression of the score on what is known of every pair in `TOGETHER`.
      mixed: task -> the same regression, languages being random effects.
      regularised: (task, kind) -> the same by ridge and by lasso.
      lm: metric -> language -> LM statistic.
      gains: of target tasks from intermediate ones.
      curves: of scores against numbers of examples or languages.
      drops: of scores under noise.
      source_sets: what training on several languages adds to training on one.
      seed: seed of permutations and resamples.
      data_dir: where world.json and the pretraining text were looked for; None if nowhere.
    """

    rows: Sequence[ResultRow]
    tables: Sequence[Transfer]
    main: Sequence[Transfer]
    languages: tuple[str, ...]
    features: Sequence[PairFeature]
    absent: Sequence[PairFeature]
    correlations: Mapping[tuple[str, str, str], Correlation]
    ranks: Mapping[tuple[str, str], RankCorrelation]
    slopes: Mapping[tuple[str, str], Slope]
    predictions: Mapping[tuple[str, str], Prediction]
    corrected: Mapping[tuple[str, str], Mapping[str, float | None]]
    corrected_over_all: Mapping[tuple[str, str], Mapping[str, float | None]]
    regressions: Mapping[str, Regression]
    mixed: Mapping[str, MixedEffects]
    regularised: Mapping[tuple[str, str], Regularised]
    lm: Mapping[str, Mapping[str, LmNumber]]
    gains: Sequence[Gain]
    curves: Sequence[Curve]
    drops: Sequence[Drop]
    source_sets: Sequence[SourceSet]
    seed: int
    permutations: int
    resamples: int
    data_dir: str | None

    def ordered(self, languages: Sequence[str]) -> tuple[str, ...]:
        """Returns some of the languages in the report's order."""
        return tuple(language for language in self.languages if language in set(languages))

    def feature(self, key: str) -> PairFeature | None:
        """Returns a feature by its key, or None where it is not known."""
        return next((feature for feature in self.features if feature.key == key), None)

    def correlation(self, task: str, key: str, form: str = "score") -> Correlation:
        """Returns one correlation."""
        return self.correlations[task, key, form]

    def first_known(self, keys: Sequence[str]) -> PairFeature | None:
        """Returns the first of the features that is known."""
        return next((f for key in keys if (f := self.feature(key)) is not None), None)


def find(
    rows: Sequence[ResultRow],
    data_dir: str | os.PathLike[str] | None = None,
    stage: str | None = None,
    permutations: int = correlation.PERMUTATIONS,
    resamples: int = correlation.RESAMPLES,
    seed: int = 0,
    wals_dir: str | os.PathLike[str] | None = None,
) -> Findings:
    """Computes the numbers of a report.

    Args:
      rows: the result rows.
      data_dir: folder of the data sets; its pretraining text gives lexical overlap, its
        world.json, where it is a sample world, the planted truth.
      stage: the stage whose scores are analysed, where several score the same cells.
      permutations: relabellings of the languages per test.
      resamples: bootstrap draws of languages per interval.
      seed: seed of both.
      wals_dir: a CLDF release of WALS, for its chapters by area; None leaves them out.

    Raises:
      UserError: there is nothing to report, or the rows contradict each other.
    """
    tables = transfers(rows, stage)
    lm = lm_numbers(rows)
    gained, grown, lost = gains(rows), curves(rows, seed), drops(rows)
    if not (tables or lm or gained or grown or lost):
        raise UserError(
            f"{len(rows)} result rows hold neither the score of a fine-tuned model nor an LM "
            "statistic: there is nothing to report"
        )
    main = main_transfers(tables)
    spoken = {language for table in tables for language in table.languages}
    spoken |= {language for numbers in lm.values() for language in numbers}
    names = sorted(spoken)

    features = _features(names, lm, data_dir, wals_dir)
    by_key = {feature.key: feature for feature in features}
    similarities = [by_key["family"].values, by_key["syntax_imputed"].values]
    known = [feature for feature in features if feature.known()]
    correlations = {
        (table.task, feature.key, form): _correlation(
            table, feature, form, permutations, resamples, seed
        )
        for table in main
        for feature in known
        for form in FORMS
    }
    each = [(table, feature) for table in main for feature in known]
    whole = {table.task: _known_throughout(table, known) for table in main}
    return Findings(
        rows=rows,
        tables=tables,
        main=main,
        languages=kinship_order(names, *similarities),
        features=known,
        absent=[feature for feature in features if not feature.known()],
        correlations=correlations,
        ranks={
            (table.task, feature.key): rank_correlate(
                table.score, feature.values, min(permutations, RANK_PERMUTATIONS), seed
            )
            for table, feature in each
        },
        slopes={(t.task, f.key): slope(t.score, f.values) for t, f in each},
        predictions={
            (table.task, unseen): foretell(table.score, _together(known), unseen)
            for table in main
            for unseen in (LANGUAGES, PAIRS)
        },
        corrected={
            key: found
            for table in main
            for key, found in _corrected(
                [(t, f) for t, f in each if t is table], correlations
            ).items()
        },
        corrected_over_all=_corrected(each, correlations),
        regressions={t.task: regress(t.score, whole[t.task], permutations, seed) for t in main},
        mixed={t.task: mixed_effects(t.score, whole[t.task]) for t in main},
        regularised={
            (t.task, kind): regularise(t.score, whole[t.task], kind)
            for t in main
            for kind in (RIDGE, LASSO)
        },
        lm=lm,
        gains=gained,
        curves=grown,
        drops=lost,
        source_sets=source_sets(rows),
        seed=seed,
        permutations=permutations,
        resamples=resamples,
        data_dir=None if data_dir is None else os.fspath(data_dir),
    )


def _together(features: Sequence[PairFeature]) -> dict[str, PairMatrix]:
    """What is known of `TOGETHER`."""
    return {feature.key: feature.values for feature in features if feature.key in TOGETHER}


def _corrected(
    family: Sequence[tuple[Transfer, PairFeature]],
    correlations: Mapping[tuple[str, str, str], Correlation],
) -> dict[tuple[str, str], dict[str, float | None]]:
    """Corrects the p-values of a family of tests for how many there are, by each method."""
    keys = [(table.task, feature.key) for table, feature in family]
    ps = [correlations[task, key, "score"].p for task, key in keys]
    by_method = {method: multiplicity.adjusted(ps, method) for method in multiplicity.METHODS}
    return {key: {m: by_method[m][number] for m in by_method} for number, key in enumerate(keys)}


def _known_throughout(table: Transfer, features: Sequence[PairFeature]) -> dict[str, PairMatrix]:
    """What of `TOGETHER` is known of every scored pair: gaps would cost a regression pairs."""
    scored = table.score.off_diagonal()
    return {
        key: values
        for key, values in _together(features).items()
        if not (scored & ~values.reordered(table.languages).off_diagonal()).any()
    }


def _correlation(
    table: Transfer, feature: PairFeature, form: str, permutations: int, resamples: int, seed: int
) -> Correlation:
    """Correlates a feature with one form of transfer; 'adjusted' adjusts both sides."""
    scores, values = table.form(form), feature.values.reordered(table.languages)
    if form == "adjusted":
        scored = np.where(table.score.off_diagonal(), values.values, np.nan)
        values = adjusted(PairMatrix(table.languages, scored))
        # What the fit leaves of a sum of source and target effects is rounding.
        size = np.nanmax(np.abs(scored), initial=0.0)
        values = PairMatrix(
            values.languages, np.where(np.abs(values.values) < 1e-9 * size, 0.0, values.values)
        )
    return correlate(scores, values, permutations, resamples, seed)


def _features(
    languages: Sequence[str],
    lm: Mapping[str, Mapping[str, LmNumber]],
    data_dir: str | os.PathLike[str] | None,
    wals_dir: str | os.PathLike[str] | None,
) -> list[PairFeature]:
    """Returns every feature, known or not; the planted truth first."""
    features = []
    if data_dir is not None:
        features += planted.planted(data_dir, languages)
    features += typology.typological(languages)
    if wals_dir is not None:
        features += wals.chapters(Path(wals_dir), languages)
    features += resources.resources(languages)
    if data_dir is not None:
        features += text.textual(data_dir, languages)
    nll = {language: number.mean for language, number in lm.get("lm_nll", {}).items()}
    return features + model.of_model(languages, nll)
