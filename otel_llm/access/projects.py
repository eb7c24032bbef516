"""Projects: the walls between keys. Everything stored belongs to exactly one."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
NAME_FORM = "1 to 64 letters, digits, dots, dashes and underscores, starting with a letter or digit"


@dataclass(frozen=True, slots=True)
class Project:
    """A project; times in ns since 1970."""

    name: str
    created_ns: int
    deleted_ns: int | None = None


def valid_name(name: str) -> bool:
    """True for a name that is safe in a header, a URL and a file name."""
    return _NAME.fullmatch(name) is not None


def to_row(project: Project, updated_ns: int) -> dict[str, Any]:
    """The row that records the present state of a project."""
    return {
        "name": project.name,
        "created_ns": project.created_ns,
        "deleted_ns": project.deleted_ns,
        "updated_ns": updated_ns,
    }


def newest(rows: Iterable[Mapping[str, Any]]) -> dict[str, Project]:
    """The state of every project: its newest row; of two equally new ones the deletion."""
    chosen: dict[str, tuple[tuple[int, bool], Project]] = {}
    for row in rows:
        name = str(row["name"])
        deleted_ns = None if row["deleted_ns"] is None else int(row["deleted_ns"])
        rank = (int(row["updated_ns"]), deleted_ns is not None)
        if name not in chosen or rank > chosen[name][0]:
            chosen[name] = rank, Project(name, int(row["created_ns"]), deleted_ns)
    return {name: project for name, (_, project) in chosen.items()}
