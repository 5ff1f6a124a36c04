"""LM statistics as a table of text."""

from mt5x.studies.store import Figures

_COLUMNS = {
    "documents": ("lm_documents", 0),
    "sequences": ("num_examples", 0),
    "tokens": ("lm_tokens", 0),
    "characters": ("lm_characters", 0),
    "bytes": ("lm_bytes", 0),
    "nats/token": ("lm_nll", 4),
    "95% interval": ("", 0),
    "perplexity": ("lm_perplexity", 2),
    "nats/char": ("lm_nll_per_char", 4),
    "nats/byte": ("lm_nll_per_byte", 4),
    "lm_em %": ("lm_em", 2),
    "lm_token_em %": ("lm_token_em", 2),
    "forced %": ("lm_teacher_forced_em", 2),
}


def page(figures: Figures) -> str:
    """Returns a line a language; a dash stands for what could not be measured."""
    rows = [("language", *_COLUMNS)]
    for language, one in figures.items():
        cells = [_cell(one.get(metric), digits) for metric, digits in _COLUMNS.values()]
        low, high = one.get("lm_nll:low"), one.get("lm_nll:high")
        if low is not None and high is not None:
            cells[list(_COLUMNS).index("95% interval")] = f"{low:.4f} to {high:.4f}"
        rows.append((language, *cells))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )


def _cell(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"
