"""The answer in words: every sentence is made from the numbers and says how sure one may be."""

from collections.abc import Iterable

from analysis.features.pair_feature import PairFeature
from analysis.languages import name
from analysis.report.findings import LEXICAL, SIGNIFICANT, SYNTACTIC, Findings
from analysis.report.words import (
    count,
    decimal,
    equal,
    evidence,
    listing,
    metric_name,
    p_number,
    p_value,
    sentence,
    task_name,
)
from analysis.transfer import Transfer


def lead(findings: Findings) -> list[str]:
    """Returns the opening: what was done, how much carries over, what goes with it."""
    if not findings.main:
        return [
            f"No fine-tuned model was scored, so there is no transfer to speak of; what is here "
            f"is how well the pretrained model knows {count(len(findings.languages), 'language')}."
        ]
    return [_scope(findings), *_carried_over(findings), *_predictors(findings)]


def about_task(table: Transfer) -> list[str]:
    """Returns what the scores of one task say."""
    return [*_levels(table), *_between(table), *_extremes(table)]


def about_predictors(findings: Findings) -> list[str]:
    """Returns what the correlations say over all tasks, and what they do not."""
    if not any(table.score.off_diagonal().any() for table in findings.main):
        return [
            "Every score is of the language that its model was tuned on, so a correlation with "
            "transfer cannot be computed: no zero-shot pair was scored."
        ]
    tests = [
        c
        for (_, _, form), c in findings.correlations.items()
        if form == "score" and c.r is not None
    ]
    if not tests:
        return ["No correlation could be computed; the tables below say why."]
    least = min(1 / c.relabellings for c in tests)
    if least >= SIGNIFICANT:
        return [
            f"With so few languages p cannot fall below {p_number(least)}, whatever the scores: "
            "the correlations below describe these pairs and prove nothing."
        ]
    low = sum(c.p is not None and c.p < SIGNIFICANT for c in tests)
    chance = len(tests) * SIGNIFICANT
    return [
        f"Of {count(len(tests), 'correlation')} below, {low} {'has' if low == 1 else 'have'} "
        f"p < {SIGNIFICANT}; if nothing at all were there, about {decimal(chance, 1)} would by "
        f"chance. {_over_all(findings)} Features go together (relatives share words, sounds and "
        "word order), so a correlation is not yet a cause."
    ]


def _over_all(findings: Findings) -> str:
    """Says how many correlations are left when all tests of the report are counted."""

    def left(method: str) -> int:
        ps = [by_method[method] for by_method in findings.corrected_over_all.values()]
        return sum(p is not None and p < SIGNIFICANT for p in ps)

    return (
        "Corrected for all features and tasks of this report together, Holm’s correction leaves "
        f"{left('holm')} of them and Benjamini and Hochberg’s {left('fdr_bh')}."
    )


def about_lm(findings: Findings) -> list[str]:
    """Returns what the LM statistics say."""
    nll = findings.lm.get("lm_nll")
    if not nll:
        return []
    best = min(nll, key=lambda language: nll[language].mean)
    worst = max(nll, key=lambda language: nll[language].mean)
    if best == worst:
        return [f"LM({best}) is {decimal(nll[best].mean, 2)} nats per target token."]
    text = (
        f"The pretrained model fills the gaps of {name(best)} best "
        f"({decimal(nll[best].mean, 2)} nats per target token) and those of {name(worst)} worst "
        f"({decimal(nll[worst].mean, 2)})"
    )
    whole = findings.lm.get("lm_em", {})
    if best in whole and worst in whole:
        text += (
            f"; it restores {decimal(whole[best].mean, 1)}% of {name(best)}'s masked sequences "
            f"exactly, and {decimal(whole[worst].mean, 1)}% of {name(worst)}'s"
        )
    return [text + "."]


def headline(findings: Findings, table: Transfer) -> str:
    """Returns one task's correlation with syntax as a heading, or the task's plain name."""
    name_ = task_name(table.task)
    feature = findings.first_known(SYNTACTIC)
    if feature is None:
        return name_
    c = findings.correlation(table.task, feature.key)
    if c.r is None or c.p is None or c.p >= SIGNIFICANT:
        return f"{name_}: no clear trend with {feature.noun}"
    return f"{name_}: {'more' if c.r > 0 else 'less'} transfer with {feature.noun}"


def _scope(findings: Findings) -> str:
    tasks = [task_name(t.task) for t in findings.main]
    spoken = {language for t in findings.main for language in t.languages}
    if not any(t.score.off_diagonal().any() for t in findings.main):
        return (
            f"Models were scored only in the language they were tuned on ({listing(tasks)}, "
            f"{count(len(spoken), 'language')}), so nothing can be said about transfer."
        )
    pairs = sum(int(t.score.off_diagonal().sum()) for t in findings.main)
    seeds = {seed for t in findings.main for seed in t.seeds}
    return (
        f"Models tuned on one language were tested in others they were never tuned on: "
        f"{listing(tasks)}, {count(len(spoken), 'language')}, "
        f"{count(pairs, 'ordered pair')} of source and target, {count(len(seeds), 'seed')}."
    )


def _carried_over(findings: Findings) -> list[str]:
    shares = []
    for table in findings.main:
        ratio = table.form("ratio")
        values = ratio.values[ratio.off_diagonal()]
        if len(values):
            share = f"{decimal(100 * float(values.mean()), 0)}%"
            shares.append(f"{share} on {task_name(table.task)}")
    if not shares:
        return []
    return [
        "Where tuning in the target language itself gives 100%, a model that never saw the "
        f"language in its task reaches {listing(shares)} on average."
    ]


def _predictors(findings: Findings) -> list[str]:
    """One sentence on syntax, one on shared words, over all tasks."""
    return [
        text
        for keys in (SYNTACTIC, LEXICAL)
        if (feature := findings.first_known(keys)) is not None
        for text in _over_tasks(findings, feature)
    ]


def _over_tasks(findings: Findings, feature: PairFeature) -> Iterable[str]:
    """Says on which tasks a feature goes with more transfer, less, or neither."""
    verdicts: dict[str, list[str]] = {"more": [], "less": [], "unclear": []}
    for table in findings.main:
        c = findings.correlation(table.task, feature.key)
        task = task_name(table.task)
        if c.r is None or c.p is None:
            continue
        numbers = f"{task} ({equal('r', decimal(c.r, 2))}, {p_value(c.p)})"
        if c.p >= SIGNIFICANT:
            verdicts["unclear"].append(numbers)
        else:
            verdicts["more" if c.r > 0 else "less"].append(numbers)
    clauses = [
        f"goes with {verdict} transfer on {listing(verdicts[verdict])}"
        for verdict in ("more", "less")
        if verdicts[verdict]
    ]
    if verdicts["unclear"]:
        clauses.append(f"shows no clear link on {listing(verdicts['unclear'])}")
    if clauses:
        yield f"{sentence(_subject(feature))} {'; it '.join(clauses)}."


def _subject(feature: PairFeature) -> str:
    """The feature as the subject of a sentence in the singular."""
    return {
        "planted_syntax": "similarity of the planted syntax",
        "planted_lexicon": "the planted share of common words",
        "syntax": "similarity of syntax in lang2vec",
        "syntax_imputed": "similarity of syntax in lang2vec, gaps filled",
        "word_overlap": "the share of common words",
        "piece_overlap": "the share of common subword pieces",
    }.get(feature.key, feature.label)


def _levels(table: Transfer) -> Iterable[str]:
    metric = metric_name(table.metric)
    zero_shot = table.zero_shot()
    own = [v for t in table.targets if (v := table.in_language(t)) is not None]
    parts = []
    if zero_shot is not None:
        parts.append(f"zero-shot {metric} averages {decimal(zero_shot)}")
    if own:
        parts.append(f"tuning in the target language gives {decimal(sum(own) / len(own))}")
    if table.baseline:
        mean = sum(table.baseline.values()) / len(table.baseline)
        parts.append(f"always guessing the most frequent answer {decimal(mean)}")
    if parts:
        yield sentence("; ".join(parts)) + "."


def _between(table: Transfer) -> Iterable[str]:
    """Says how many zero-shot scores lie between the baseline and the in-language score."""
    inside, outside = 0, []
    for source, target, value in table.score.pairs():
        own, base = table.in_language(target), table.baseline.get(target)
        if source == target or own is None or base is None:
            continue
        if base <= value <= own:
            inside += 1
        else:
            outside.append(f"{source}→{target}")
    total = inside + len(outside)
    if total and not outside:
        yield f"All {total} zero-shot scores lie between these two bounds of their target."
    elif total:
        named = listing(outside) if len(outside) <= 6 else listing([*outside[:5], "others"])
        some = f"{inside} of" if inside else "None of the"
        yield (
            f"{some} {total} zero-shot scores lie between these two bounds of their target; "
            f"outside {'lies' if len(outside) == 1 else 'lie'} {named}."
        )


def _extremes(table: Transfer) -> Iterable[str]:
    """Names the most helpful source and the hardest target."""
    gives = {s: v for s in table.sources if (v := table.zero_shot_from(s)) is not None}
    gets = {t: v for t in table.targets if (v := table.zero_shot_to(t)) is not None}
    if len(gives) < 2:
        return
    best = max(gives, key=lambda s: gives[s])
    text = f"The source that helps others most is {name(best)} (mean {decimal(gives[best])})"
    if len(gets) > 1:
        hardest = min(gets, key=lambda t: gets[t])
        text += f"; the hardest target is {name(hardest)} ({decimal(gets[hardest])})"
    yield text + "."


def about_planted(findings: Findings, table: Transfer) -> list[str]:
    """In a sample world, sets the planted similarities beside those measured; else nothing."""
    texts = []
    for key, measured in (("planted_syntax", "syntax"), ("planted_lexicon", "word_overlap")):
        feature, other = findings.feature(key), findings.feature(measured)
        if feature is None:
            continue
        text = _evidence(findings, table, feature)
        if other is not None:
            text += f"; {_evidence(findings, table, other)}"
        texts.append(f"{sentence(text)}.")
    return texts


def _evidence(findings: Findings, table: Transfer, feature: PairFeature) -> str:
    c = findings.correlation(table.task, feature.key)
    if c.r is None:
        return f"{_subject(feature)}: no correlation can be computed, {c.reason}"
    return f"{_subject(feature)}: {evidence(c)}"
