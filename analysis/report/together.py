"""What features say together: one regression a task, in words and as rows of a table."""

from typing import Any

from analysis.mrqap import Regression
from analysis.multiplicity import adjusted
from analysis.report.findings import SIGNIFICANT, Findings
from analysis.report.words import count, decimal, equal, listing, p_number, p_value, sentence
from analysis.transfer import Transfer

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
        }
        for key, one in fit.coefficients.items()
    ]
    return {"sentences": sentences(findings, table), "rows": rows}


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


def _holm(fit: Regression) -> dict[str, float | None]:
    """Corrects the coefficients' p-values for how many there are."""
    ps = adjusted([one.p for one in fit.coefficients.values()], "holm")
    return dict(zip(fit.coefficients, ps, strict=True))


def _label(findings: Findings, key: str) -> str:
    feature = findings.feature(key)
    return key if feature is None else feature.label


def _shown(value: float | None, digits: int = 2) -> str | None:
    return None if value is None else decimal(value, digits)
