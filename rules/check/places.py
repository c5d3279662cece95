"""Where the elements of a pack stand: file and line of what the typed form names only by id."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from carnet.rules.ast import Definition, Pack
from carnet.rules.format.yaml_strict import LocatedDict, LocatedList

Place = tuple[str, int]
"""File, relative to the pack, and line."""


@dataclass(frozen=True, slots=True)
class Material:
    """What the analyses look at: a pack, and the documents it was read from."""

    pack: Pack
    documents: Mapping[str, Any]

    def elements(self, prefix: str, key: str) -> Iterator[tuple[str, LocatedDict]]:
        """Yield the mappings of a list in all files whose name begins so, with the file."""
        for name in sorted(self.documents):
            document = self.documents[name]
            listed = document.get(key) if isinstance(document, dict) else None
            if name.startswith(prefix) and isinstance(listed, LocatedList):
                yield from ((name, one) for one in listed if isinstance(one, LocatedDict))

    def _find(self, prefix: str, key: str, **wanted: str) -> Place:
        for file, element in self.elements(prefix, key):
            if all(element.get(name) == value for name, value in wanted.items()):
                return file, element.line
        return prefix, 1

    def parameter(self, name: str) -> Place:
        """Return where a parameter stands."""
        return self._find("parameters.yaml", "parameters", id=name)

    def law(self, fact: str) -> Place:
        """Return where a law fact stands."""
        return self._find("law.yaml", "law", id=fact)

    def path(self, fact_type: str) -> Place:
        """Return where the path of a fact type stands."""
        paths = self.documents["pack.yaml"].get("paths")
        return "pack.yaml", paths.lines.get(fact_type, 1) if isinstance(paths, LocatedDict) else 1

    def definition(self, definition: Definition) -> Place:
        """Return where a derived field or a measure stands."""
        if definition.fact_type is None:
            return self._find("rules/", "measures", name=definition.name)
        return self._find("rules/", "derived", name=definition.name, fact=definition.fact_type)

    def named(self, key: str, name: str) -> Place:
        """Return where an element of a list of the rule files stands, by its name."""
        return self._find("rules/", key, name=name)
