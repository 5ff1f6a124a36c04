"""What features say together: one regression a task, in words and as rows of a table."""

from typing import Any

from analysis.mixed_effects import BOTH_WAYS, REST, SOURCE, TARGET
from analysis.mrqap import Regression
from analysis.multiplicity import adjusted
from analysis.regularised import LASSO, RIDGE
from analysis.report.findings import SIGNIFICANT, Findings
from analysis.report.words import count, decimal, equal, listing, p_number, p_value, sentence
from analysis.transfer import Transfer

_NAMES = {SOURCE: "source", TARGET: "target", BOTH_WAYS: "pair in both directions"}

INFLATED = 5.0
"""From this variance inflation on, a coefficient is said to be shared with the others."""


def view(findings: Findings, table: Transfer) -> dict[str, Any] | None:
    """Returns sentences and rows; None where there are not two features to take together."""
    fit = findings.regressions[table.task]
    if fit.reason is None and len(fit.coefficients) < 2:
        return None
    labels = {key: _label(findings, key) for key in fit.coefficients}
    corrected = _holm(fit)
    rows = [
        {
            "label": labels[key],
            "reason": one.reason,
            "beta": _shown(one.beta),
            "partial": _shown(one.partial_r),
            "p": None if one.p is None else p_number(one.p),
            "holm": None if (p := corrected[key]) is None else p_number(p),
            "vif": _shown(one.vif, 1),
            **_other_ways(findings, table.task, key),
        }
        for key, one in fit.coefficients.items()
    ]
    texts = [*sentences(findings, table), *_mixed(findings, table.task)]
    return {"sentences": [*texts, *_regularised(findings, table.task)], "rows": rows}


def sentences(findings: Findings, table: Transfer) -> list[str]:
    """Says how much all explain, what each adds to the others, and what cannot be told apart."""
    fit = findings.regressions[table.task]
    if fit.r2 is None or fit.r2_p is None:
        return [f"A regression on several features cannot be computed: {fit.reason}."]
    chance = "" if fit.r2_p < SIGNIFICANT else ", which chance could give as well"
    texts = [
        f"{sentence(count(fit.fitted, 'feature'))} {'explains' if fit.fitted == 1 else 'explain'} "
        f"{decimal(100 * fit.r2, 0)}% of the variance of the score over "
        f"{count(fit.pairs, 'pair')} ({p_value(fit.r2_p)}){chance}."
    ]
    corrected = _holm(fit)
    adding = [
        f"{_label(findings, key)} ({equal('β', decimal(one.beta, 2))}, {p_value(p)})"
        for key, one in fit.coefficients.items()
        if one.beta is not None and (p := corrected[key]) is not None and p < SIGNIFICANT
    ]
    if adding:
        texts.append(f"With the others held, a link remains for {listing(adding)}, by Holm.")
    elif any(p is not None for p in corrected.values()):
        texts.append("With the others held, no feature keeps a clear link, by Holm.")
    naive = adjusted([one.p_naive for one in fit.coefficients.values()], "holm")
    named = sum(p is not None and p < SIGNIFICANT for p in naive)
    if named > len(adding):
        texts.append(
            f"A regression that took the pairs for independent would have named {named}: "
            "do not believe it."
        )
    shared = [
        f"{_label(findings, key)} ({decimal(one.vif)})"
        for key, one in fit.coefficients.items()
        if one.vif is not None and one.vif >= INFLATED
    ]
    if shared:
        texts.append(
            "The others tell most of what these tell, so that their coefficients are uncertain "
            f"(variance inflation): {listing(shared)}."
        )
    return texts


def _other_ways(findings: Findings, task: str, key: str) -> dict[str, str | None]:
    """The same feature with languages as random effects, and by ridge and lasso."""
    shown: dict[str, str | None] = dict.fromkeys(("mixed", "mixed_interval", RIDGE, LASSO))
    mixed = findings.mixed[task].effects.get(key)
    if mixed is not None and mixed.low is not None and mixed.high is not None:
        shown["mixed"] = _shown(mixed.value)
        shown["mixed_interval"] = f"{decimal(mixed.low, 2)} to {decimal(mixed.high, 2)}"
    for kind in (RIDGE, LASSO):
        one = findings.regularised[task, kind].features.get(key)
        if one is not None and one.beta is not None and one.stays is not None:
            stays = f", {decimal(100 * one.stays, 0)}%" if one.beta else ""
            shown[kind] = f"{decimal(one.beta, 2)}{stays}"
    return shown


def _mixed(findings: Findings, task: str) -> list[str]:
    """Says what remains when the languages are taken for a sample of others."""
    fit = findings.mixed[task]
    if fit.reason:
        return [f"A regression with languages as random effects cannot be computed: {fit.reason}."]
    corrected = dict(
        zip(fit.effects, adjusted([one.p for one in fit.effects.values()], "holm"), strict=True)
    )
    found = [
        f"{_label(findings, key)} ({decimal(one.value, 1)} points for one standard deviation, "
        f"95% interval {decimal(one.low, 1)} to {decimal(one.high, 1)}, {p_value(p)})"
        for key, one in fit.effects.items()
        if (p := corrected[key]) is not None
        and p < SIGNIFICANT
        and one.value is not None
        and one.low is not None
        and one.high is not None
    ]
    spread = [
        f"{decimal(fit.spreads[name], 1)} by {said}"
        for name, said in _NAMES.items()
        if name in fit.spreads
    ]
    rest = decimal(fit.spreads[REST], 1)
    remains = listing(found) if found else "no feature"
    return [
        f"With sources and targets as random effects a link remains for {remains}, by Holm; scores "
        f"differ by a standard deviation of {listing(spread)}, and {rest} points are left."
    ]


def _regularised(findings: Findings, task: str) -> list[str]:
    """Says what lasso keeps and what ridge explains of languages left out."""
    lasso, ridge = (findings.regularised[task, kind] for kind in (LASSO, RIDGE))
    if lasso.explained is None or ridge.explained is None:
        return [f"Ridge and lasso cannot be computed: {lasso.reason}."]
    kept = [_label(findings, key) for key, one in lasso.features.items() if one.beta]
    if max(lasso.explained, ridge.explained) <= 0:
        return [
            "Of languages left out, neither ridge nor lasso explains anything: the features say "
            "less than the mean does."
        ]
    return [
        f"Lasso keeps {listing(kept) if kept else 'no feature'} and explains "
        f"{decimal(100 * lasso.explained, 0)}% of the variance of languages left out; ridge, "
        f"which keeps all, {decimal(100 * ridge.explained, 0)}%."
    ]


def _holm(fit: Regression) -> dict[str, float | None]:
    """Corrects the coefficients' p-values for how many there are."""
    ps = adjusted([one.p for one in fit.coefficients.values()], "holm")
    return dict(zip(fit.coefficients, ps, strict=True))


def _label(findings: Findings, key: str) -> str:
    feature = findings.feature(key)
    return key if feature is None else feature.label


def _shown(value: float | None, digits: int = 2) -> str | None:
    return None if value is None else decimal(value, digits)
