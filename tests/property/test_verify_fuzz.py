"""Whatever the bytes, verification answers; and nothing but the bundle itself is ever valid."""

import contextlib
import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carnet.core.canonical import canonical
from carnet.core.errors import InputError, RecordFormatError
from carnet.ledger.policy import parse_policy
from carnet.ledger.verify import Verification, verify_bundle
from tests.fixtures_ledger import DAY, LedgerWorld

LENIENT = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.text(max_size=12),
    st.sampled_from(
        ["0" * 64, "z" * 90, "did:key:z", "did:web:a.example", "urn:uuid:", "—", "\u202e"]
    ),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=3),
)


def verify(world: LedgerWorld, data: bytes) -> Verification:
    return verify_bundle(data, world.policy, today=DAY, read_anchor=world.read_anchor)


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every member and item."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield (*path, key)
        if isinstance(item, dict | list):
            yield from places(item, (*path, key))


def parse_or_refuse(data: bytes) -> None:
    with contextlib.suppress(InputError):
        parse_policy(data)


@given(st.binary(max_size=400))
@LENIENT
def test_verify__arbitrary_bytes(ledger_world: LedgerWorld, data: bytes) -> None:
    assert verify(ledger_world, data).verdict == "not_valid"


@given(st.data())
@LENIENT
def test_verify__a_part_replaced(ledger_world: LedgerWorld, data: st.DataObject) -> None:
    value = json.loads(ledger_world.data)
    path = data.draw(st.sampled_from(list(places(value))))
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    before = copy.deepcopy(holder[path[-1]])
    holder[path[-1]] = data.draw(SCALARS)
    try:
        changed = canonical(value)
    except RecordFormatError:
        changed = json.dumps(value).encode()
    is_same = changed == ledger_world.data
    assert is_same == (holder[path[-1]] == before and type(holder[path[-1]]) is type(before))
    found = verify(ledger_world, changed)
    # What may be left out honestly is then not checked, and the policy requires it.
    is_left_out = path in {("anchor",), ("consistency",)} and holder[path[-1]] is None
    is_left_out |= path == ("keyEvents",) and holder[path[-1]] == []
    expected = "valid" if is_same else "not_valid"
    assert found.verdict == expected or (is_left_out and found.verdict != "not_valid")


@given(st.data())
@LENIENT
def test_verify__a_part_removed(ledger_world: LedgerWorld, data: st.DataObject) -> None:
    value = json.loads(ledger_world.data)
    path = data.draw(st.sampled_from(list(places(value))))
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    del holder[path[-1]]
    found = verify(ledger_world, canonical(value))
    is_key_event = path == ("keyEvents", 0)
    assert found.verdict == ("not_checked" if is_key_event else "not_valid")


@given(st.data())
@LENIENT
def test_verify__two_bytes_changed(ledger_world: LedgerWorld, data: st.DataObject) -> None:
    changed = bytearray(ledger_world.data)
    for _ in range(2):
        position = data.draw(st.integers(0, len(changed) - 1))
        changed[position] = data.draw(st.integers(0, 255))
    found = verify(ledger_world, bytes(changed))
    assert (found.verdict == "valid") == (bytes(changed) == ledger_world.data)


@given(st.binary(max_size=300))
@LENIENT
def test_policy__arbitrary_bytes(data: bytes) -> None:
    parse_or_refuse(data)


@given(st.data())
@LENIENT
def test_policy__a_line_changed(ledger_world: LedgerWorld, data: st.DataObject) -> None:
    lines = ledger_world.policy.to_toml().splitlines()
    number = data.draw(st.integers(0, len(lines) - 1))
    lines[number] = data.draw(
        st.sampled_from(["", "x = 1", lines[number] * 2, "[x]", lines[number][:-2]])
    )
    parse_or_refuse("\n".join(lines).encode())
