"""The two programs of a shape: what accepts a value, and what finds the fault of a refused one."""

import copy
import json
import re
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carnet.core.canonical import DEPTH_MAX, INTEGER_MAX, check_profile
from carnet.core.errors import VerificationError
from carnet.ledger.bundle import BUNDLE
from carnet.ledger.entry import ENTRY_SHAPE
from carnet.ledger.kinds import ALL, ATTESTATION
from carnet.ledger.policy import POLICY
from carnet.ledger.record import _SHAPES
from carnet.ledger.shape import Shape, obj
from tests.fixtures_ledger import LedgerWorld, attestation

SCALARS: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**54), 2**54)
    | st.text(max_size=6)
    | st.sampled_from(["0" * 64, "conforming", "2026-02-30", "2026-11-23", "did:key:z", "USD", 1.0])
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
BUNDLE_SHAPE = obj(BUNDLE)
NOT_ASCII = "".join(map(chr, range(0x80, 0x110000)))


def has_fault(shape: Shape, value: Any) -> bool:
    try:
        shape.check(value, "here")
    except VerificationError:
        return True
    return False


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for name, item in items:
        found.append((*path, name))
        if isinstance(item, dict | list):
            found += places(item, (*path, name))
    return found


def altered(value: Any, data: st.DataObject) -> Any:
    """Return a value with one of its parts replaced or removed, or one member more."""
    copied = copy.deepcopy(value)
    path = data.draw(st.sampled_from(places(copied)))
    holder = copied
    for name in path[:-1]:
        holder = holder[name]
    match data.draw(st.sampled_from(("replaced", "removed", "more"))):
        case "replaced":
            holder[path[-1]] = data.draw(VALUES)
        case "removed":
            del holder[path[-1]]
        case _ if isinstance(holder, dict):
            holder[data.draw(st.text(max_size=5))] = data.draw(VALUES)
        case _:
            holder.append(data.draw(VALUES))
    return copied


@given(st.data())
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_shape__accepts_what_has_no_fault(ledger_world: LedgerWorld, data: st.DataObject) -> None:
    bundle = json.loads(ledger_world.data)
    subject = dict(attestation(1).subject)
    shapes = {"bundle": BUNDLE_SHAPE, "entry": ENTRY_SHAPE, "subject": ATTESTATION.subject_shape()}
    whole = {"bundle": bundle, "entry": bundle["entry"], "subject": subject}
    name = data.draw(st.sampled_from(sorted(shapes)))
    assert shapes[name].accepts(whole[name])
    value = altered(whole[name], data)
    assert shapes[name].accepts(value) != has_fault(shapes[name], value)


@given(st.sampled_from([POLICY, *(kind.subject_shape() for kind in ALL)]), VALUES)
def test_shape__accepts_no_strange_value(shape: Shape, value: Any) -> None:
    assert shape.accepts(value) != has_fault(shape, value)


def described(description: list[Any], depth: int = 0) -> int:
    """Return how deep values of a description nest, after checking that all lie in the profile."""
    match description:
        case ["object", required, optional]:
            check_profile([*required, *optional])
            assert "".join([*required, *optional]).isascii()
            inner = [*required.values(), *optional.values()]
        case ["table", pattern, of, _]:
            assert re.search(pattern, NOT_ASCII) is None
            inner = [of]
        case ["array", of, _, _] | ["nullable", of]:
            inner = [of]
        case ["exactly", value]:
            check_profile(value)
            inner = []
        case ["integer", least, most]:
            assert -INTEGER_MAX <= least <= most <= INTEGER_MAX
            inner = []
        case ["named", "record"]:
            inner = [shape.description for shape in _SHAPES.values()]
        case _:
            assert description[0] in {"text", "where", "choice"} or description[1] == "boolean"
            inner = []
    return max((described(each, depth + 1) for each in inner), default=depth)


def test_shape__of_a_bundle_lies_inside_the_profile() -> None:
    # `parse_bundle` rests on it: what has this shape is not checked against the profile too.
    assert described(BUNDLE_SHAPE.description) < DEPTH_MAX
