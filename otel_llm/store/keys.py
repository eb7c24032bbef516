"""Keys of traces and of answers, (project, id), held by project.

Nearly every commit is of one project. A set of ids is made in a tenth of the time that a set of pairs takes, and what is
asked of thousands of keys at once is asked of the ids as a whole; a pair is made where one is needed.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

Id = TypeVar("Id", bytes, str)


class Keys(Collection[tuple[str, Id]]):
    """Different keys, in the order they came."""

    __slots__ = ("by_project",)

    def __init__(self, by_project: Mapping[str, dict[Id, None]]) -> None:
        self.by_project: Mapping[str, dict[Id, None]] = by_project
        """Project → its ids, none of them empty."""

    @classmethod
    def of_columns(cls, projects: Sequence[str], ids: Sequence[Id]) -> "Keys[Id]":
        """The keys of rows."""
        if not projects:
            return cls({})
        if one_project(projects):
            return cls({projects[0]: dict.fromkeys(ids)})
        return cls.of_pairs(zip(projects, ids, strict=True))

    @classmethod
    def of_pairs(cls, pairs: Iterable[tuple[str, Id]]) -> "Keys[Id]":
        """The same keys, given one by one."""
        if isinstance(pairs, Keys):
            return pairs
        found: dict[str, dict[Id, None]] = {}
        for project, each in pairs:
            ids = found.get(project)
            if ids is None:
                found[project] = {each: None}
            else:
                ids[each] = None
        return cls(found)

    def __len__(self) -> int:
        return sum(map(len, self.by_project.values()))

    def __iter__(self) -> Iterator[tuple[str, Id]]:
        return ((project, each) for project, ids in self.by_project.items() for each in ids)

    def __contains__(self, key: Any) -> bool:
        project, each = key
        return each in self.by_project.get(project, ())


def one_project(projects: Sequence[str]) -> bool:
    """True when all rows, one at least, are of one project."""
    return projects.count(projects[0]) == len(projects)
