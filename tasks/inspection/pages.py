"""Lists and inspections as plain text for a terminal: no colours, no escapes, any script."""

import itertools
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence

from tasks import data_dir
from tasks.inspection.distribution import Distribution, bars
from tasks.inspection.examples import FEATURES
from tasks.inspection.inspect import Inspection, Part
from tasks.inspection.listing import MIXTURE, Entry, Group
from tasks.inspection.packing import Packing
from tasks.inspection.suggestion import cost, wasted

# Marks of the examples of a row in the picture of packing; then from the beginning again.
_MARKS = "123456789abcdefghijklmnopqrstuvwxyz"
_BAR = 30
# Tasks of a mixture that are shown one by one.
_PARTS = 16


def list_page(groups: Sequence[Group], width: int, all_tasks: bool = False) -> str:
    """Returns the list of what there is: a row a group, or a row a task or mixture."""
    header: tuple[str, ...] = ("data set", "kind", "languages", "examples")
    rows: list[tuple[str, ...]]
    if all_tasks:
        header = ("name", "kind", "examples")
        rows = [
            (entry.name, entry.kind, _entry_size(entry)) for one in groups for entry in one.entries
        ]
    else:
        rows = [(one.data, one.kind, _languages(one), _group_size(one)) for one in groups]
    count = sum(len(one.entries) for one in groups)
    mixtures = sum(len(one.entries) for one in groups if one.kind == MIXTURE)
    lines = [
        *_table(header, rows, width),
        "",
        f"{_number(count - mixtures, 'task')}, {_number(mixtures, 'mixture')}; "
        f"data in {data_dir.described()}",
    ]
    return "\n".join(lines)


def task_page(found: Inspection, width: int) -> str:
    """Returns what `mt5x tasks NAME` shows."""
    sections = [
        _heading(found),
        *(_example(number, found, width) for number in range(len(found.examples))),
        _lengths(found),
        _picture(found, width),
        _suggestion(found),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections)


def _heading(found: Inspection) -> list[str]:
    lines = [f"{found.name}, split {found.split} (it has {', '.join(found.splits)})"]
    for part in found.parts[:_PARTS]:
        share = "" if len(found.parts) == 1 else f"{_share(part.share):>6}  "
        lines.append(f"  {share}{part.name}: {part.source}{_part_size(part, found.split)}")
    if len(found.parts) > _PARTS:
        lines.append(f"  and {_number(len(found.parts) - _PARTS, 'task')} more")
    if found.others:
        lines.append(f"  and {_number(found.others, 'task')} without the split {found.split}")
    lines.append(f"  vocabulary {found.vocabulary}, {found.vocabulary_size:,} ids")
    return lines


def _example(number: int, found: Inspection, width: int) -> list[str]:
    shown = found.examples[number]
    lines = [f"example {number + 1}"]
    for feature in FEATURES:
        tokens = shown.pieces[feature]
        lines += _paragraph(f"  {feature:<8} ", shown.texts[feature], width)
        lines += _paragraph(f"  {len(tokens):>4} ids ", " ".join(tokens), width)
    return lines


def _lengths(found: Inspection) -> list[str]:
    lines = [f"lengths in tokens, </s> included, of {found.measured:,} examples"]
    if found.fills:
        lines.append(
            f"  ({_shortened(found.fills)}: as long as the rows are, whatever their length)"
        )
    names = list(found.distributions)
    percentiles = list(found.distributions[names[0]].percentiles)
    titles = ["min" if p == 0 else "max" if p == 100 else f"{p:g}%" for p in percentiles]
    lines.append("  " + f"{'':8}{'mean':>9}" + "".join(f"{title:>8}" for title in titles))
    for name, one in found.distributions.items():
        values = "".join(f"{one.percentiles[p]:>8,}" for p in percentiles)
        lines.append(f"  {name:<8}{one.mean:>9.1f}{values}")
    for name, one in found.distributions.items():
        lines += ["", f"  {name}", *_histogram(one)]
    return lines


def _histogram(one: Distribution) -> list[str]:
    lows, total = one.edges[:-1], sum(one.histogram)
    highs = [edge - 1 for edge in one.edges[1:]]
    digits = len(f"{highs[-1]:,}")
    return [
        f"  {low:>{digits},} to {high:>{digits},}  {100 * count / total:5.1f}%  {bar}".rstrip()
        for low, high, count, bar in zip(
            lows, highs, one.histogram, bars(one.histogram, _BAR), strict=True
        )
    ]


def _picture(found: Inspection, width: int) -> list[str]:
    """Draws rows: each mark stands for some tokens of one example, a point for padding."""
    lengths = found.suggestion.lengths
    room = max(min(width - 34, 90), 20)
    lines = [
        f"packed rows of {_named(lengths)}: a mark for each example, points for padding",
    ]
    first = 1
    rows = zip(*(found.rows[f"{name}_segment_ids"] for name in FEATURES), strict=True)
    for number, segments in enumerate(rows, start=1):
        together = int(max(ids.max() for ids in segments))
        lines.append(f"  row {number}: examples {first} to {first + together - 1}")
        first += together
        for name, ids in zip(FEATURES, segments, strict=True):
            cells = min(room, len(ids))
            marks = "".join(
                _MARKS[(int(ids[cell * len(ids) // cells]) - 1) % len(_MARKS)]
                if ids[cell * len(ids) // cells]
                else "."
                for cell in range(cells)
            )
            lines.append(f"    {name:<8} {marks}  {int((ids > 0).sum())} of {len(ids)}")
    return lines


def _suggestion(found: Inspection) -> list[str]:
    lines = [
        f"TASK_FEATURE_LENGTHS = {found.suggestion.lengths}",
        "",
        f"  {'inputs/targets':<16}{'not padding':>12}{'inputs':>9}{'targets':>9}"
        f"{'examples a row':>16}{'cut off':>9}{'work':>8}{'wasted':>8}",
    ]
    given = [("given", found.given)] if found.given is not None else []
    named = [("suggested", found.suggestion), *given, *(("mT5's", one) for one in found.compared)]
    for title, packing in named:
        work = cost(packing) / cost(found.suggestion)
        share = 100 * wasted(packing)
        lines.append(f"{_packing(packing)}{work:>7.2f}x{share:>7.1f}%  {title}")
    lines += [
        "  work: of an example, padding included, attention as in mT5-base, logits left out",
        "  wasted: the share of the work that padding and attention between examples take",
        "  mT5's targets are 128 for classification and 512 for answers and entities",
    ]
    return lines


def _packing(one: Packing) -> str:
    filled = "".join(f"{100 * one.filled(name):>8.1f}%" for name in FEATURES)
    return (
        f"  {'/'.join(str(n) for n in one.lengths.values()):<16}{100 * one.efficiency:>11.1f}%"
        f"{filled}{one.examples_per_row:>16.1f}{100 * one.share_cut:>8.2f}%"
    )


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _named(lengths: dict[str, int]) -> str:
    return " and ".join(f"{length} {name}" for name, length in lengths.items())


def _share(share: float | None) -> str:
    if share is None:
        return "?"
    return f"{100 * share:.1f}%" if share >= 0.001 else f"{100 * share:.1g}%"


def _part_size(part: Part, split: str) -> str:
    if split not in part.rows:
        return ""
    return f", {'at most ' if part.at_most else ''}{part.rows[split]:,} rows"


def _languages(one: Group) -> str:
    codes = one.languages
    return f"{len(codes)}: {' '.join(codes)}" if len(codes) > 1 else "".join(codes)


def _entry_size(entry: Entry) -> str:
    if entry.kind == MIXTURE:
        return f"of {_number(len(entry.tasks), 'task')}"
    if not entry.sizes:
        return f"not there: needs {' '.join(entry.needs)}" if entry.needs else "not counted"
    most = "≤ " if entry.at_most else ""
    return ", ".join(f"{split} {most}{count:,}" for split, count in entry.sizes.items())


def _group_size(one: Group) -> str:
    if one.kind == MIXTURE:
        return f"mixtures: {_shortened([entry.name for entry in one.entries])}"
    there = [entry for entry in one.entries if entry.sizes]
    parts = []
    for split in dict.fromkeys(split for entry in there for split in entry.sizes):
        counts = [entry.sizes[split] for entry in there if split in entry.sizes]
        least, most = min(counts), max(counts)
        some = "≤ " if any(entry.at_most for entry in there) else ""
        spread = f"{most:,}" if least == most else f"{least:,} to {most:,}"
        parts.append(f"{split} {some}{spread}")
    absent = [entry for entry in one.entries if not entry.sizes]
    if absent:
        missing = _needs(absent)
        if there:
            parts.append(f"{len(absent)} not there: {missing}")
        else:
            parts.append(f"not there: {missing}")
    return "; ".join(parts)


def _needs(absent: Iterable[Entry]) -> str:
    """Says which data sets are absent, the configs of one data set together."""
    configs: dict[tuple[str, str], list[str]] = {}
    for name in dict.fromkeys(name for entry in absent for name in entry.needs):
        data, _, version = name.partition(":")
        stem, slash, config = data.partition("/")
        configs.setdefault((stem + slash, version), []).append(config)
    if not configs:
        return "not counted"
    return "needs " + " ".join(
        f"{stem}{found[0] if len(found) == 1 else '*'}:{version}"
        for (stem, version), found in configs.items()
    )


def _shortened(names: Sequence[str], most: int = 4) -> str:
    """Returns names, those that differ in their language alone as one."""
    stems: dict[str, list[str]] = {}
    for name in names:
        stem, point, _ = name.partition(".")
        stems.setdefault(stem + point, []).append(name)
    shown = [
        found[0] if len(found) == 1 else f"{stem}* ({len(found)})" for stem, found in stems.items()
    ]
    rest = len(shown) - most
    return " ".join(shown[:most] if rest > 1 else shown) + (f" and {rest} more" if rest > 1 else "")


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Returns a table, its last columns wrapped to the width of the screen."""
    columns = list(zip(header, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    gaps = 2 * (len(widths) - 1)
    # The widest columns give way, each to no less than a third of the screen.
    for _ in widths:
        over = sum(widths) + gaps - width
        widest = widths.index(max(widths))
        if over > 0:
            widths[widest] = max(widths[widest] - over, width // 3, 10)
    lines = []
    for row in [header, *rows]:
        cells = [
            textwrap.wrap(cell, size, break_on_hyphens=False) or [""]
            for cell, size in zip(row, widths, strict=True)
        ]
        for parts in itertools.zip_longest(*cells, fillvalue=""):
            line = "  ".join(part.ljust(size) for part, size in zip(parts, widths, strict=True))
            lines.append(line.rstrip())
    return lines


def _paragraph(label: str, text: str, width: int) -> list[str]:
    """Returns text wrapped beside a label; nothing in it is escaped but control characters."""
    plain = "".join("�" if unicodedata.category(c) == "Cc" else c for c in text)
    lines = textwrap.wrap(plain, max(width - len(label), 20), break_on_hyphens=False) or [""]
    return [
        (label if number == 0 else " " * len(label)) + line for number, line in enumerate(lines)
    ]
