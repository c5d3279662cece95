"""From the YAML of a pack to its typed form, collecting every defect on the way.

Source: docs/spec/pack-format.md, sections 1 to 4.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from carnet.core.errors import RulePackError
from carnet.core.text import Text
from carnet.facts.schema import RULE_TYPES
from carnet.rules.ast import (
    CaseDefinition,
    Citation,
    DatedValue,
    Line,
    Lines,
    Link,
    Parameter,
    ParameterStatus,
    Path,
    ValueKind,
)
from carnet.rules.format.expression import (
    RESERVED,
    parse_line,
    parse_reference,
)
from carnet.rules.format.grammar import ExpressionError
from carnet.rules.format.hostile import deceptive_name
from carnet.rules.format.names import Names
from carnet.rules.format.section import NAME, Section, defect, read_text
from carnet.rules.parameters import tied_values

DEFECTS_MAX = 100
PARAMETERS_MAX = 2_000
VALUES_MAX = 64
PATHS_MAX = 64
NAMED_MAX = 8
LINES_MAX = 24
KINDS: tuple[ValueKind, ...] = ("integer", "date", "string", "boolean", "strings")
UNITS = ("years", "months", "days", "bps", "minor", "count", "date", "text")
_PYTHON_TYPES: dict[ValueKind, type] = {"integer": int, "string": str, "boolean": bool}
_NODE = re.compile(r"([a-z][a-z0-9_]*)(?:\.([a-z][a-z0-9_]*))?")


class TooManyDefectsError(Exception):
    """So much is wrong that reading on would only take time: each defect is slow to explain."""


class Defects:
    """The defects found so far; a faulty element is left out and the reading goes on."""

    def __init__(self) -> None:
        self.found: list[RulePackError] = []

    @contextmanager
    def collect(self, file: str = "", line: int = 0) -> Iterator[None]:
        """Note an error of the body instead of raising it; hostile input is raised at once."""
        try:
            yield
        except ExpressionError as fault:
            self._note(defect(fault.code, file, line, fault.message, fault.hint))
        except RulePackError as error:
            if error.code in {"CRN-R-002", "CRN-R-003"}:
                raise
            self._note(error)

    def _note(self, error: RulePackError) -> None:
        self.found.append(error)
        if len(self.found) >= DEFECTS_MAX:
            raise TooManyDefectsError


def check_fact_type(name: str, section: Section, line: int) -> str:
    """Return the name of a fact type.

    Raises:
        RulePackError: There is no such type.
    """
    if name not in RULE_TYPES:
        raise section.fault(
            Text(f"There is no fact type {name!r}.", f"没有事实类型 {name!r}。"), line=line
        )
    return name


def check_alias(alias: str, section: Section, line: int, taken: Mapping[str, str]) -> str:
    """Return an alias.

    Raises:
        RulePackError: It is reserved, taken or no name.
    """
    deception = deceptive_name(alias)
    if deception is not None:
        raise section.refusal(
            Text(
                f"The alias {alias!r:.80} {deception.en}.", f"别名 {alias!r:.80} {deception.zh}。"
            ),
            line=line,
        )
    if not NAME.fullmatch(alias) or alias in RESERVED or alias in taken:
        raise section.fault(
            Text(
                f"The alias {alias!r} is reserved, taken or not of the form {NAME.pattern}.",
                f"别名 {alias!r} 为保留字、已被占用或不符合 {NAME.pattern}。",
            ),
            line=line,
        )
    return alias


def read_lines(section: Section, key: str, names: Names, defects: Defects) -> Lines:
    """Return the typed lines of a list, noting those that cannot be used.

    Raises:
        RulePackError: What stands there is no list, or an element of it is not text.
    """
    result: list[Line] = []
    for raw, number in section.items(key, LINES_MAX):
        # A bare boolean would be a line that is always true or never: both are mistakes.
        if not isinstance(raw, str):
            raise section.fault(
                Text(
                    f"A line must be text, not {raw!r:.60}.", f"条件行须为文本，而非 {raw!r:.60}。"
                ),
                Text("Quote the line.", "请给该行加引号。"),
                line=number,
            )
        with defects.collect(section.file, number):
            result.append(parse_line(raw, names, number))
    return tuple(result)


# --- parameters and law -----------------------------------------------------------------------


def _citation(section: Section, fact_key: str) -> Citation:
    link = section.string("link")
    if not link.startswith("https://"):
        raise section.fault(
            Text(
                f"The link {link!r:.80} does not begin with https://.",
                f"链接 {link!r:.80} 不以 https:// 开头。",
            ),
            line=section.line_of("link"),
        )
    return Citation(
        section.string(fact_key), section.string("title"), section.string("article"), link
    )


def _parameter_value(section: Section, kind: ValueKind) -> Any:
    if kind == "date":
        return section.day("value")
    if kind == "strings":
        return section.strings("value", 64)
    if kind == "boolean":
        value = section.any("value")
        if not isinstance(value, bool):
            raise section.fault(Text("The value must be true or false.", "值须为 true 或 false。"))
        return value
    if kind == "integer":
        return section.integer("value", -(2**53) + 1, 2**53 - 1)
    return section.string("value")


def _dated_value(section: Section, kind: ValueKind) -> DatedValue:
    result = DatedValue(
        value=_parameter_value(section, kind),
        valid_from=section.day("valid_from"),
        valid_to=section.day_or_none("valid_to"),
        known_from=section.day("known_from"),
    )
    section.close()
    if result.valid_to is not None and result.valid_to < result.valid_from:
        raise section.fault(Text("valid_to is before valid_from.", "valid_to 早于 valid_from。"))
    return result


def _parameter(section: Section) -> Parameter:
    kind = cast("ValueKind", section.one_of("kind", KINDS))
    cited = section.section("citation")
    citation = _citation(cited, "fact")
    cited.close()
    result = Parameter(
        id=section.matching("id", NAME),
        title=section.text("title"),
        kind=kind,
        unit=section.one_of("unit", UNITS),
        status=cast("ParameterStatus", section.one_of("status", ("V", "S", "U"))),
        citation=citation,
        values=tuple(
            _dated_value(Section(raw, section.file, line, "a value"), kind)
            for raw, line in section.items("values", VALUES_MAX)
        ),
        last_checked=section.day("last_checked"),
        corrigenda=tuple(
            read_text(Section(raw, section.file, line, "a corrigendum"))
            for raw, line in section.items("corrigenda", VALUES_MAX)
        ),
    )
    section.close()
    _check_values(section, result)
    return result


def _check_values(section: Section, parameter: Parameter) -> None:
    if not parameter.values:
        raise section.fault(
            Text(f"The parameter {parameter.id} has no value.", f"参数 {parameter.id} 没有值。")
        )
    if tied_values(parameter):
        raise section.fault(
            Text(
                f"Two values of {parameter.id} have the same valid_from and known_from.",
                f"参数 {parameter.id} 的两个值具有相同的 valid_from 和 known_from。",
            ),
            line=section.line_of("values"),
        )


def read_parameters(root: Section, defects: Defects) -> dict[str, Parameter]:
    """Return the parameters of `parameters.yaml`.

    Raises:
        RulePackError: What stands there is no list of parameters; single defects are collected.
    """
    result: dict[str, Parameter] = {}
    for raw, line in root.items("parameters", PARAMETERS_MAX):
        with defects.collect():
            section = Section(raw, root.file, line, "a parameter")
            parameter = _parameter(section)
            if parameter.id in result:
                raise section.fault(
                    Text(
                        f"The parameter {parameter.id} stands twice.", f"参数 {parameter.id} 重复。"
                    )
                )
            result[parameter.id] = parameter
    with defects.collect():
        root.close()
    return result


def read_law(root: Section, defects: Defects) -> dict[str, Citation]:
    """Return the law facts of `law.yaml`."""
    result: dict[str, Citation] = {}
    for raw, line in root.items("law", PARAMETERS_MAX):
        with defects.collect():
            section = Section(raw, root.file, line, "a law fact")
            citation = _citation(section, "id")
            section.one_of("status", ("V", "S", "U"))
            section.close()
            if citation.fact in result:
                raise section.fault(
                    Text(
                        f"The law fact {citation.fact} stands twice.",
                        f"法规条目 {citation.fact} 重复。",
                    )
                )
            result[citation.fact] = citation
    with defects.collect():
        root.close()
    return result


# --- paths and the case -----------------------------------------------------------------------


def _link(near: re.Match[str], arrow: str, far: re.Match[str]) -> Link:
    if arrow == "->":
        return Link(near[2] or "", far[1], "id")
    if arrow == "<-":
        return Link("id", far[1], far[2] or "")
    return Link(near[2] or "", far[1], far[2] or "")


def _check_link(near_type: str, link: Link, arrow: str, section: Section, line: int) -> None:
    for owner, field in ((near_type, link.near_field), (link.far_type, link.far_field)):
        check_fact_type(owner, section, line)
        if field not in RULE_TYPES[owner].columns:
            raise section.fault(
                Text(f"{owner} has no field {field!r}.", f"{owner} 没有字段 {field!r}。"), line=line
            )
    if arrow == "==":
        return
    holder, field, target = (
        (near_type, link.near_field, link.far_type)
        if arrow == "->"
        else (link.far_type, link.far_field, near_type)
    )
    if target not in RULE_TYPES[holder].column(field).refers_to:
        raise section.fault(
            Text(
                f"{holder}.{field} does not refer to {target}.",
                f"{holder}.{field} 并不引用 {target}。",
            ),
            line=line,
        )


def _path(fact_type: str, text: str, section: Section, line: int) -> Path:
    if text == "*":
        return Path(fact_type, ())
    parts = text.split()
    nodes = [_NODE.fullmatch(part) for part in parts[::2]]
    arrows = parts[1::2]
    readable = len(parts) % 2 == 1 and bool(arrows) and all(nodes)
    matches = [node for node in nodes if node is not None]
    if not readable or set(arrows) - {"->", "<-", "=="} or matches[0][1] != fact_type:
        raise section.fault(
            Text(
                f"The path {text!r:.120} is not of the form"
                f" {fact_type}.field -> type <- type.field.",
                f"路径 {text!r:.120} 不符合 {fact_type}.字段 -> 类型 <- 类型.字段 的写法。",
            ),
            line=line,
        )
    links: list[Link] = []
    for near, arrow, far in zip(matches, arrows, matches[1:], strict=False):
        link = _link(near, arrow, far)
        _check_link(near[1], link, arrow, section, line)
        links.append(link)
    return Path(fact_type, tuple(links))


def _paths_of(fact_type: str, section: Section, line: int) -> Iterator[Path]:
    check_fact_type(fact_type, section, line)
    raw = section.any(fact_type)
    if isinstance(raw, str):
        yield _path(fact_type, raw, section, line)
        return
    for text in section.strings(fact_type, NAMED_MAX):
        yield _path(fact_type, text, section, line)


def order_of_paths(case_type: str, paths: list[Path]) -> list[Path]:
    """Return the paths so that each ends at a type reached before; the rest is left out."""
    result: list[Path] = []
    waiting = list(paths)
    while True:
        open_types = {path.fact_type for path in waiting}
        ready = [
            p for p in waiting if p.end is None or p.end == case_type or p.end not in open_types
        ]
        if not ready:
            return result
        result += ready
        waiting = [path for path in waiting if path not in ready]


def read_paths(section: Section, case_type: str, defects: Defects) -> tuple[Path, ...]:
    """Return the paths of a pack in an order in which they can be followed.

    Raises:
        RulePackError: There are more than PATHS_MAX; defects of single paths are collected.
    """
    paths: list[Path] = []
    if len(section.data) > PATHS_MAX:
        raise section.fault(Text(f"More than {PATHS_MAX} paths.", f"路径超过 {PATHS_MAX} 条。"))
    for key in section.data:
        with defects.collect():
            line = section.line_of(key)
            if key == case_type:
                raise section.fault(
                    Text(
                        f"{key} is the case type and needs no path.",
                        f"{key} 是案件类型，无需路径。",
                    ),
                    line=line,
                )
            paths += _paths_of(key, section, line)
    _check_ends(section, case_type, paths, defects)
    return tuple(order_of_paths(case_type, paths))


def _check_ends(section: Section, case_type: str, paths: list[Path], defects: Defects) -> None:
    known = {path.fact_type for path in paths} | {case_type}
    ordered = order_of_paths(case_type, paths)
    for path in paths:
        if (path.end is not None and path.end not in known) or path not in ordered:
            defects.found.append(
                section.fault(
                    Text(
                        f"The path of {path.fact_type} does not lead to {case_type}.",
                        f"{path.fact_type} 的路径没有到达 {case_type}。",
                    ),
                    Text(
                        "End it at the case type or at a type that has a path.",
                        "请以案件类型或已有路径的类型结尾。",
                    ),
                    line=section.line_of(path.fact_type),
                )
            )


def read_case(
    section: Section,
    case_type: str,
    names: Names,
    defects: Defects,
) -> tuple[CaseDefinition, dict[str, str]]:
    """Return the case definition and the fact type of every alias that a case binds."""
    alias = check_alias(section.string("alias"), section, section.line_of("alias"), {})
    aliases = {alias: case_type}
    named = []
    if section.has("with"):
        inner = section.section("with")
        for key in list(inner.data)[:NAMED_MAX]:
            line = inner.line_of(key)
            with defects.collect(section.file, line):
                check_alias(key, inner, line, aliases)
                reach = Names(aliases, frozenset(), {}, frozenset(), {}, frozenset(), names.types)
                field, target = parse_reference(inner.string(key), reach)
                _check_reached(target, names, inner, line)
                named.append((key, field, target))
                aliases[key] = target
        inner.close()
    within = Names(
        aliases,
        frozenset(),
        names.parameters,
        frozenset(),
        names.derived,
        names.reasons,
        names.types,
    )
    when = read_lines(section, "when", within, defects)
    section.close()
    return CaseDefinition(case_type, alias, when, tuple(named)), aliases


def _check_reached(target: str, names: Names, section: Section, line: int) -> None:
    if target not in names.types:
        raise section.fault(
            Text(f"{target} has no path to the case.", f"{target} 没有到达案件的路径。"),
            Text("Add its path to pack.yaml.", "请在 pack.yaml 中添加其路径。"),
            line=line,
        )
