"""Readable tables on a terminal: a header, a rule, numbers to the right; or JSON for programs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def print_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[tuple[str, str]], *, empty: str) -> None:
    """A table of ``(key, heading)`` columns. None is shown as a dash; ``empty`` is said when there are no rows."""
    listed = list(rows)
    if not listed:
        click.echo(empty)
        return
    cells = [[cell_text(row.get(key)) for key, _ in columns] for row in listed]
    right = [all(_numeric(row.get(key)) for row in listed) for key, _ in columns]
    headings = [heading for _, heading in columns]
    widths = [max(len(line[index]) for line in [headings, *cells]) for index in range(len(columns))]
    for number, line in enumerate([headings, ["─" * width for width in widths], *cells]):
        text = "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        )
        click.secho(text.rstrip(), bold=number == 0)


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
