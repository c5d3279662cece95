"""What is wrong or doubtful in the rows of decision tables: gaps, overlaps, conflicts, dead rows.

Exact over everything that an input can be, the days on which rows are in force included. What takes
more work than a check may do is said not to be checked, and never passed over.

Source: docs/spec/pack-format.md, PF-47; OMG DMN 1.5, 8.2.8.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from carnet.core.text import Text
from carnet.rules.ast import Pack, Table, TableRow
from carnet.rules.check.regions import (
    Box,
    Budget,
    OutOfBudgetError,
    Space,
    common,
    is_empty_box,
    is_within,
    region_text,
    sample_text,
    uncovered,
)
from carnet.rules.check.report import Defect, Severity, fault, note, warning
from carnet.rules.tables import rank_of

STEPS_MAX = 3_000_000
"""Steps that the analyses of one pack may take together."""
REGIONS_MAX = 5
"""Gaps of one table that are told."""
PAIRS_MAX = 20
"""Overlaps of one table that are told."""


def _at(table: Table, row: TableRow | None = None) -> tuple[str, int]:
    return table.file, row.number if row else 1


# --- gaps -------------------------------------------------------------------------------------


def _gaps(table: Table, space: Space, budget: Budget) -> Iterator[Defect]:
    boxes = [box for box in space.boxes if not is_empty_box(box)]
    found = list(islice(uncovered(space.everything, boxes, budget), REGIONS_MAX + 1))
    severity = _severity_of_gaps(table)
    for box in found[:REGIONS_MAX]:
        where, point = region_text(box, space.axes), sample_text(box, space.axes)
        yield _defect(
            severity,
            "CRN-R-015",
            table,
            None,
            Text(
                f"No row of the table {table.id} holds for {where.en} (for example {point}).",
                f"决策表 {table.id} 没有任何行适用于 {where.zh}（例如 {point}）。",
            ),
            Text(
                "Add a row for it; a lookup gives nothing there.", "请补充一行；此处查找没有结果。"
            ),
        )
    if len(found) > REGIONS_MAX:
        yield _defect(
            severity,
            "CRN-R-015",
            table,
            None,
            Text(
                f"The table {table.id} has further gaps; {REGIONS_MAX} are shown.",
                f"决策表 {table.id} 还有其他空缺；仅显示 {REGIONS_MAX} 处。",
            ),
            Text("Close those shown and check again.", "请先补上所列空缺，再重新检查。"),
        )


def _severity_of_gaps(table: Table) -> Severity:
    if table.is_complete:
        return "error"
    # What is collected may be nothing: no requirement, no exemption.
    return "note" if table.hit_policy == "C" else "warning"


def _defect(
    severity: Severity, code: str, table: Table, row: TableRow | None, message: Text, hint: Text
) -> Defect:
    make = {"error": fault, "warning": warning, "note": note}[severity]
    return make(code, _at(table, row), message, hint)


# --- overlaps ---------------------------------------------------------------------------------


def _pairs(table: Table, space: Space, budget: Budget) -> Iterator[tuple[TableRow, TableRow, Box]]:
    for later, box in enumerate(space.boxes):
        budget.spend(1 + later)
        for earlier in range(later):
            shared = common(space.boxes[earlier], box)
            if shared is not None:
                yield table.rows[earlier], table.rows[later], shared


def _overlaps(table: Table, space: Space, budget: Budget) -> Iterator[Defect]:
    """Yield rows of the policies U and A that may not hold together."""
    policy = table.hit_policy
    if policy not in {"U", "A"}:
        return
    clashing = (
        pair
        for pair in _pairs(table, space, budget)
        if policy == "U" or pair[0].outputs != pair[1].outputs
    )
    for count, (first, second, shared) in enumerate(clashing):
        point = sample_text(shared, space.axes)
        where = region_text(shared, space.axes)
        if count == PAIRS_MAX:
            yield fault(
                "CRN-R-016",
                _at(table),
                Text(
                    f"The table {table.id} has further overlaps; {PAIRS_MAX} are shown.",
                    f"决策表 {table.id} 还有其他重叠；仅显示 {PAIRS_MAX} 处。",
                ),
            )
            return
        what = Text("overlap", "重叠")
        if policy == "A":
            what = Text("give different outputs", "输出冲突")
        yield fault(
            "CRN-R-016" if policy == "U" else "CRN-R-017",
            _at(table, second),
            Text(
                f"The rows {first.id} and {second.id} of the table {table.id} (hit policy {policy})"
                f" {what.en} for {where.en} (for example {point}).",
                f"决策表 {table.id}（命中策略 {policy}）的行 {first.id} 与 {second.id}"
                f" 在 {where.zh} 上{what.zh}（例如 {point}）。",
            ),
            Text(
                "Narrow one of the rows, or choose another hit policy.",
                "请收窄其中一行，或改用其他命中策略。",
            ),
        )


# --- rows that decide nothing -----------------------------------------------------------------


def _before(table: Table) -> list[int]:
    """Return the positions of the rows in the order in which the policy takes them."""
    positions = list(range(len(table.rows)))
    if table.hit_policy == "P":
        positions.sort(key=lambda n: rank_of(table, table.rows[n]))
    return positions


def _is_covered(box: Box, others: Sequence[Box], budget: Budget) -> bool:
    near = [one for other in others if (one := common(other, box)) is not None]
    budget.spend(len(others))
    return next(uncovered(box, near, budget), None) is None


def _masked(table: Table, space: Space, budget: Budget) -> Iterator[Defect]:
    """Yield rows of the policies F and P before which others always decide."""
    taken: list[Box] = []
    for position in _before(table):
        box, row = space.boxes[position], table.rows[position]
        if not is_empty_box(box) and _is_covered(box, taken, budget):
            yield warning(
                "CRN-R-018",
                _at(table, row),
                Text(
                    f"The row {row.id} of the table {table.id} never decides: rows before it (hit"
                    f" policy {table.hit_policy}) take all that it holds for.",
                    f"决策表 {table.id} 的行 {row.id} 永远不会起作用：排在前面的行（命中策略"
                    f" {table.hit_policy}）已涵盖其全部情形。",
                ),
                Text("Delete it, or move it up.", "请删除该行，或将其前移。"),
            )
        taken.append(box)


def _subsumed(table: Table, space: Space, budget: Budget) -> Iterator[Defect]:
    """Yield rows that lie within another one with the same outputs."""
    by_outputs: dict[tuple[object, ...], list[int]] = {}
    for position, row in enumerate(table.rows):
        by_outputs.setdefault(row.outputs, []).append(position)
    for positions in by_outputs.values():
        budget.spend(len(positions) ** 2)
        for position in positions:
            found = _holder(position, positions, space)
            if found is not None:
                yield _redundant(table, table.rows[position], table.rows[found], space, position)


def _holder(position: int, among: Sequence[int], space: Space) -> int | None:
    box = space.boxes[position]
    if is_empty_box(box):
        return None
    for other in among:
        wider = space.boxes[other]
        if other != position and is_within(box, wider) and (wider != box or other < position):
            return other
    return None


def _redundant(table: Table, row: TableRow, other: TableRow, space: Space, position: int) -> Defect:
    same = space.boxes[position] in space.boxes[:position]
    what = (
        Text("is a duplicate of", "与之重复的是行") if same else Text("lies within", "被包含于行")
    )
    effect = Text("it adds nothing", "该行没有作用")
    if table.collection in {"sum", "count"}:
        effect = Text("both count", "两行都会计入")
    return warning(
        "CRN-R-018",
        _at(table, row),
        Text(
            f"The row {row.id} of the table {table.id} {what.en} the row {other.id}, with the same"
            f" outputs: {effect.en}.",
            f"决策表 {table.id} 的行 {row.id}：{what.zh} {other.id}，且输出相同：{effect.zh}。",
        ),
        Text("Delete one of the two.", "请删除其中一行。"),
    )


def _never_in_force(table: Table, space: Space) -> Iterator[Defect]:
    for row, box in zip(table.rows, space.boxes, strict=True):
        if is_empty_box(box):
            yield warning(
                "CRN-R-018",
                _at(table, row),
                Text(
                    f"The row {row.id} of the table {table.id} never holds while the pack is"
                    " effective.",
                    f"决策表 {table.id} 的行 {row.id} 在规则包适用期内永不适用。",
                ),
                Text("Look at its dates and its cells.", "请检查其日期和单元格。"),
            )


# --- all --------------------------------------------------------------------------------------


def _defects_of(table: Table, pack: Pack, budget: Budget) -> Iterator[Defect]:
    budget.spend(len(table.rows) * sum(2 + len(row.cells) for row in table.rows[:1]))
    space = Space(table, pack)
    yield from _never_in_force(table, space)
    yield from _overlaps(table, space, budget)
    if table.hit_policy in {"F", "P"}:
        yield from _masked(table, space, budget)
    elif table.hit_policy != "U":
        yield from _subsumed(table, space, budget)
    yield from _gaps(table, space, budget)


def table_defects(pack: Pack) -> Iterator[Defect]:
    """Yield what is wrong or doubtful in the tables of a pack; errors and warnings."""
    budget = Budget(STEPS_MAX)
    for name in sorted(pack.tables):
        table = pack.tables[name]
        try:
            yield from _defects_of(table, pack, budget)
        except OutOfBudgetError:
            yield warning(
                "CRN-R-019",
                _at(table),
                Text(
                    f"The table {name} was not checked in full: its rows cut the inputs into too"
                    " many pieces.",
                    f"决策表 {name} 未能完整检查：各行将输入划分得过细。",
                ),
                Text(
                    "Divide it into smaller tables to have it checked.",
                    "请拆分为更小的决策表以便检查。",
                ),
            )
