"""A pack that was checked is never refused when it runs, on any date and whatever is confirmed."""

import tempfile
from datetime import date
from itertools import product as pairs
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carnet.core.errors import RulePackError
from carnet.rules.live.compile import check_names, compile_plan
from carnet.rules.live.patterns import PATTERNS_MAX
from carnet.rules.pack import check_pack
from carnet.rules.run import start_run, unverified_of
from tests.fixtures_generators import GENERATORS
from tests.fixtures_rules import AS_OF, make_pack, parameter, rule, write_pack
from tests.fixtures_vectors import Vector

PAIR = [{"c": "certificate"}, {"d": "certificate"}]
_FIELDS = ("act", "kind", "status", "issued_on", "id")
_LATE = "c.number != param.late || c.number != d.number"
DAYS = (date(2020, 1, 1), date(2026, 11, 22), AS_OF, date(2026, 11, 24), date(2031, 1, 1))


def _wide(one: str, other: str, *without: str) -> str:
    """A line of five alternatives, less one for each field left out."""
    names = [name for name in _FIELDS if name not in without]
    return " || ".join(f"{one}.{name} == {other}.{name}" for name in names)


def _later(name: str, kind: str, value: Any) -> dict[str, Any]:
    """A parameter that has no value before 2026."""
    made = parameter(name, kind, value)
    window = {"value": value, "valid_from": date(2026, 1, 1), "known_from": date(2026, 1, 1)}
    return {**made, "values": [window]}


def _refusal(folder: Path) -> str:
    with pytest.raises(RulePackError) as caught:
        check_pack(folder)
    return caught.value.code


def test_check__refuses_what_a_later_date_makes_true(tmp_path: Path) -> None:
    """Five times five times five alternatives, none of them while a line of constants is false."""
    lines = [_wide("c", "d"), _wide("c", "d", "kind"), _wide("d", "e"), "as_of > param.day"]
    match = [{alias: "certificate"} for alias in "cde"]
    day = parameter("day", "date", date(2025, 1, 1))
    folder = write_pack(tmp_path, rule(match=match, when=lines), parameters=[day])
    assert _refusal(folder) == "CRN-R-003"


def test_check__refuses_what_a_later_value_makes_wider(tmp_path: Path) -> None:
    """A comparison has one alternative while the parameter has no value, and two afterwards."""
    lines = [_wide("c", "d"), _wide("c", "d", "kind"), _LATE]
    parameters = [_later("late", "string", "x")]
    folder = write_pack(tmp_path, rule(match=PAIR, when=lines), parameters=parameters)
    assert _refusal(folder) == "CRN-R-003"


def test_check__takes_what_is_within_the_bound_on_every_date(tmp_path: Path) -> None:
    lines = [_wide("c", "d"), _LATE, "as_of > param.day"]
    parameters = [parameter("day", "date", date(2025, 1, 1)), _later("late", "string", "x")]
    pack = make_pack(tmp_path, rule(match=PAIR, when=lines), parameters=parameters)
    for as_of in DAYS:
        compile_plan(start_run(pack, as_of, frozenset()))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(vector=st.one_of(GENERATORS["plain"], GENERATORS["shapes"], GENERATORS["tables"]))
def test_checked_pack__compiles_on_every_date_and_whatever_is_confirmed(vector: Vector) -> None:
    with tempfile.TemporaryDirectory() as name:
        ((_, files),) = vector.packs.items()
        for file, text in files.items():
            path = Path(name, file)
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        try:
            pack, found = check_pack(Path(name))
        except RulePackError:
            return
    if found or pack is None:
        return
    for as_of, confirmed in pairs(DAYS, (frozenset[str](), unverified_of(pack))):
        compile_plan(start_run(pack, as_of, confirmed))


def test_names__that_the_compiler_assigns_never_collide() -> None:
    numbers = range(4_000)
    names = {"id", "sid", "t", "k", "z", "n", "s", "case", "ran"}
    names |= {f"{letter}{number}" for letter in "pklham" for number in numbers}
    names |= {f"w{block}x{count}$not" for block in range(16) for count in range(PATTERNS_MAX)}
    check_names(sorted(names))
