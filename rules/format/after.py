"""The packs of earlier stages that a pack names, and what it may then read of their decisions.

Source: docs/spec/pack-format.md, PF-33 to PF-36.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from carnet.core.errors import NotFoundError, RulePackError
from carnet.core.text import Text
from carnet.facts.schema import COMPUTED_TYPES, FACT_TYPES
from carnet.rules.ast import Path as ReferencePath
from carnet.rules.format.build import Defects
from carnet.rules.format.section import IDENTIFIER, Section, defect
from carnet.rules.format.yaml_strict import LocatedDict, parse_yaml

AFTER_MAX = 16
PACKS_MAX = 1_000
"""Packs that are looked at for one that comes after another."""
FindFolder = Callable[[str], Path]
"""Returns the folder of a pack by its id; raises NotFoundError."""


def read_after(section: Section, pack_id: str) -> tuple[str, ...]:
    """Return the ids of the packs that a pack comes after, sorted.

    Raises:
        RulePackError: An id is not well formed, stands twice, or is the pack's own.
    """
    listed = section.strings("after", AFTER_MAX)
    for name in listed:
        if name == pack_id:
            raise section.refusal(
                Text(
                    f"{name} comes after itself: its decisions would trigger it for ever.",
                    f"{name} 列在自身之后：其判定会无休止地触发自身。",
                ),
                Text("Take it out of 'after'.", "请将其从 after 中移除。"),
                line=section.line_of("after"),
            )
        if not IDENTIFIER.fullmatch(name) or listed.count(name) > 1:
            raise section.fault(
                Text(
                    f"'after' lists the ids of other packs, each once; {name!r:.80} is not one.",
                    f"after 须列出其他规则包的标识，且不得重复；{name!r:.80} 不符合要求。",
                ),
                line=section.line_of("after"),
            )
    return tuple(sorted(listed))


def check_case_type(case_type: str, section: Section) -> None:
    """Refuse a case type that no import brings.

    Raises:
        RulePackError: It is computed.
    """
    if case_type not in FACT_TYPES:
        raise section.fault(
            Text(
                f"{case_type} is computed and cannot be the case type.",
                f"{case_type} 为计算得出的类型，不能作为案件类型。",
            ),
            line=section.line_of("type"),
        )


def check_stage_types(
    section: Section, paths: tuple[ReferencePath, ...], after: tuple[str, ...], defects: Defects
) -> None:
    """Note paths of decisions that nobody makes, and findings without their decisions."""
    types = {path.fact_type for path in paths}
    for name in sorted(types & COMPUTED_TYPES.keys()):
        if not after:
            fault = Text(
                f"No pack comes before this one, so there are no facts of the type {name}.",
                f"没有在先的规则包，因此不存在 {name} 类事实。",
            )
            hint = Text("Name packs under 'after'.", "请在 after 中列出规则包。")
        elif "decision" not in types:
            fault = Text(
                f"{name} needs a path of decision as well: it tells whether all of them are known.",
                f"{name} 还需要 decision 的路径：由它判断这些事实是否完整。",
            )
            hint = Text("Add the path of decision.", "请添加 decision 的路径。")
        else:
            continue
        with defects.collect():
            raise section.fault(fault, hint, line=section.line_of(name))


# --- across packs -----------------------------------------------------------------------------


def _header(folder: Path) -> tuple[object, int, list[str]]:
    """Return id, stage and what a pack comes after; its own defects are not told here."""
    document: Any = parse_yaml((folder / "pack.yaml").read_bytes(), "pack.yaml")
    if not isinstance(document, LocatedDict):
        return None, 0, []
    stage, after = document.get("stage"), document.get("after")
    listed = after if isinstance(after, list) else []
    named = [name for name in listed if isinstance(name, str) and IDENTIFIER.fullmatch(name)]
    return document.get("id"), (stage if isinstance(stage, int) else 0), named


def _circle(name: str, pack_id: str, find: FindFolder) -> list[str]:
    """Return the ids on the shortest way from a pack to another one; empty if there is none."""
    came_from = {name: ""}
    waiting = [name]
    for at in waiting:
        for earlier in _header(find(at))[2]:
            if earlier == pack_id:
                way = [at]
                while came_from[way[-1]]:
                    way.append(came_from[way[-1]])
                return [*reversed(way), pack_id]
            if earlier not in came_from and len(came_from) < PACKS_MAX:
                came_from[earlier] = at
                waiting.append(earlier)
    return []


def _faults(name: str, pack_id: str, stage: int, find: FindFolder) -> Iterator[Text]:
    circle = _circle(name, pack_id, find)
    if circle:
        shown = " -> ".join([pack_id, *circle])
        yield Text(f"The packs come after each other: {shown}.", f"规则包互为先后：{shown}。")
        return
    found, other, _ = _header(find(name))
    if found != name:
        yield Text(
            f"The folder {name} holds the pack {found!r}, not {name!r}.",
            f"文件夹 {name} 中的规则包是 {found!r}，不是 {name!r}。",
        )
    if other >= stage:
        yield Text(
            f"{name} has the stage {other}, which is not below {stage}.",
            f"{name} 的阶段为 {other}，不低于 {stage}。",
        )


def after_defects(document: Any, find: FindFolder) -> Iterator[RulePackError]:
    """Yield what is wrong between a pack and those that it comes after, by its pack.yaml.

    Args:
        document: The content of pack.yaml.
        find: Finds the folder of another pack.
    """
    if not isinstance(document, LocatedDict) or not isinstance(document.get("after"), list):
        return
    line = document.lines.get("after", document.line)
    pack_id, stage = document.get("id"), document.get("stage")
    if not isinstance(pack_id, str) or not isinstance(stage, int):
        return
    listed = document["after"]
    for name, at in zip(listed, listed.lines, strict=True):
        # What is no id is a defect of its own, and never part of a way in the file system.
        if not isinstance(name, str) or not IDENTIFIER.fullmatch(name) or name == pack_id:
            continue
        try:
            for fault in _faults(name, pack_id, stage, find):
                yield defect("CRN-R-060", "pack.yaml", at or line, fault)
        except NotFoundError as error:
            hint = Text(
                "Put it beside this pack as <id>/<version>, or correct the id.",
                "请以 <标识>/<版本> 放在该规则包旁边，或更正标识。",
            )
            yield defect("CRN-R-061", "pack.yaml", at or line, error.message, hint)
        except RulePackError as error:
            yield defect("CRN-R-061", "pack.yaml", at or line, error.message, error.hint)
