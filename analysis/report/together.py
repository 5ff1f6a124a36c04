"""What features say together: one regression a task, in words and as rows of a table."""

from typing import Any

from analysis.report.findings import SIGNIFICANT, Findings
from analysis.report.words import count, decimal, equal, listing, p_number, p_value
from analysis.transfer import Transfer

INFLATED = 5.0
"""From this variance inflation on, a coefficient is said to be shared with the others."""


def view(findings: Findings, table: Transfer) -> dict[str, Any] | None:
    """Returns sentences and rows; None where there are not two features to take together."""
    fit = findings.regressions[table.task]
    if fit.reason is None and len(fit.coefficients) < 2:
        return None
    labels = {key: _label(findings, key) for key in fit.coefficients}
    rows = [
        {
            "label": labels[key],
            "reason": one.reason,
            "beta": _shown(one.beta),
            "partial": _shown(one.partial_r),
            "p": None if one.p is None else p_number(one.p),
            "vif": _shown(one.vif, 1),
        }
        for key, one in fit.coefficients.items()
    ]
    return {"sentences": sentences(findings, table), "rows": rows}


def sentences(findings: Findings, table: Transfer) -> list[str]:
    """Says how much all explain, what each adds to the others, and what cannot be told apart."""
    fit = findings.regressions[table.task]
    if fit.r2 is None or fit.r2_p is None:
        return [f"A regression on several features cannot be computed: {fit.reason}."]
    fitted = {key: one for key, one in fit.coefficients.items() if one.p is not None}
    used = sum(
        one.reason != "the feature is the same for all pairs" for one in fit.coefficients.values()
    )
    texts = [
        f"Together {count(used, 'feature')} explain {decimal(100 * fit.r2, 0)}% of the variance "
        f"of the score over {count(fit.pairs, 'pair')} ({p_value(fit.r2_p)})."
    ]
    adding = [
        f"{_label(findings, key)} ({equal('β', decimal(one.beta, 2))}, {p_value(one.p)})"
        for key, one in fitted.items()
        if one.p is not None and one.beta is not None and one.p < SIGNIFICANT
    ]
    naive = sum(one.p_naive is not None and one.p_naive < SIGNIFICANT for one in fitted.values())
    if adding:
        texts.append(f"With the others held, a link remains for {listing(adding)}.")
    elif fitted:
        texts.append("With the others held, no feature keeps a clear link.")
    if naive > len(adding):
        texts.append(
            f"A regression that took the pairs for independent would have named {naive}: "
            "do not believe it."
        )
    shared = [
        f"{_label(findings, key)} ({decimal(one.vif)})"
        for key, one in fitted.items()
        if one.vif is not None and one.vif >= INFLATED
    ]
    if shared:
        texts.append(
            "The others tell most of what these tell, so that their coefficients are uncertain "
            f"(variance inflation): {listing(shared)}."
        )
    return texts


def _label(findings: Findings, key: str) -> str:
    feature = findings.feature(key)
    return key if feature is None else feature.label


def _shown(value: float | None, digits: int = 2) -> str | None:
    return None if value is None else decimal(value, digits)
