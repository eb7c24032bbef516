"""Readable tables on a terminal: a header, a rule, numbers to the right; or JSON for programs."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import click


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def print_table(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[tuple[str, str]], *, empty: str, right: Collection[str] = ()
) -> None:
    """A table of ``(key, heading)`` columns; numbers and the columns in ``right`` end at the right. None is shown as a
    dash; ``empty`` is said when there are no rows."""
    listed = list(rows)
    if not listed:
        click.echo(empty)
        return
    cells = [[cell_text(row.get(key)) for key, _ in columns] for row in listed]
    to_the_right = [key in right or all(_numeric(row.get(key)) for row in listed) for key, _ in columns]
    headings = [heading for _, heading in columns]
    widths = [max(len(line[index]) for line in [headings, *cells]) for index in range(len(columns))]
    for number, line in enumerate([headings, ["─" * width for width in widths], *cells]):
        text = "  ".join(
            cell.rjust(width) if at_right else cell.ljust(width)
            for cell, width, at_right in zip(line, widths, to_the_right, strict=True)
        )
        click.secho(text.rstrip(), bold=number == 0)


def money(usd: float | None) -> str:
    """``$12.34``, with more places for small amounts; a dash when unknown."""
    if usd is None:
        return "-"
    return f"${usd:,.2f}" if abs(usd) >= 10 else f"${usd:,.4f}" if abs(usd) >= 0.01 or usd == 0 else f"${usd:,.7f}"


def milliseconds(ms: float | None) -> str:
    """``850 ms``, ``1.24 s`` or ``3.1 min``; a dash when unknown."""
    if ms is None:
        return "-"
    if ms < 1000:
        return f"{ms:.0f} ms" if ms >= 10 else f"{ms:.1f} ms"
    return f"{ms / 1000:.2f} s" if ms < 120_000 else f"{ms / 60_000:.1f} min"


def cell_text(value: Any) -> str:
    """One cell; control characters of foreign text never reach the terminal."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.6f}".rstrip("0").rstrip(".") if abs(value) < 1 else f"{value:,.2f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(cell_text, value))
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in str(value))


def _numeric(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
