"""The static page against the Python verifier: the same steps, verdicts and causes for any bytes.

Each field of a valid bundle is altered in several ways, and bytes of it: a sample of them, or every
byte in four ways where CARNET_EVERY_BYTE is set.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from carnet.core.canonical import canonical
from carnet.core.clock import FixedClock
from carnet.ledger.disclosure import make_disclosure, withhold
from carnet.ledger.keys import Key, key_event_record, revocation_record, rotation_record
from carnet.ledger.policy import STEPS
from carnet.ledger.record import Record, Validity, sign_record
from carnet.ledger.verify import verify_bundle
from tests.browser.comparing import (
    OTHER_KEY,
    THIRD_KEY,
    by_page,
    by_python,
    compare,
    policies,
)
from tests.browser.conftest import StaticPage
from tests.fixtures_ledger import (
    DAY,
    ISSUER_KEY,
    NOW,
    LedgerWorld,
    attestation,
    failing,
    forge,
)

Json = dict[str, Any]
SAMPLED_EVERY = 17
"""One byte in so many is altered by default; each round of the sample starts elsewhere."""

OPTIONAL = {"anchor": None, "consistency": None, "keyEvents": []}
"""What a bundle may come without; a policy asks for the steps where it wants them."""


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every member and item, the whole ones before their parts."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in list(items):
        yield (*path, name)
        if isinstance(item, dict | list):
            yield from leaves(item, (*path, name))


def _text_changed(text: str) -> Iterator[str]:
    middle = len(text) // 2
    other = "a" if text[middle : middle + 1] != "a" else "b"
    yield text[:middle] + other + text[middle + 1 :]
    yield text[:-1]
    yield text + "é\n<b>\U0001f600"
    yield ""
    if text.startswith("did:"):
        yield "did:web:elsewhere.example"


def changed(value: Any) -> Iterator[Any]:
    """Yield other values in place of one."""
    if isinstance(value, str):
        yield from _text_changed(value)
    elif isinstance(value, int):
        yield from (value + 1, value - 1, -value, 2**53 - 1, bool(value), str(value))
    elif isinstance(value, list):
        yield from (value[:-1], value[::-1], [*value, *value[:1]], [*value, 1], {}, [])
    elif isinstance(value, dict):
        yield from ({**value, "note": 1}, {**value, "__proto__": {}}, {}, [value])
    yield from (None, 0, "x")


REMOVED = object()


def put(document: Json, path: tuple[Any, ...], value: Any) -> bytes:
    """Return a document's bytes with another value at a path."""
    copy = json.loads(json.dumps(document))
    target = copy
    for name in path[:-1]:
        target = target[name]
    if value is REMOVED:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return canonical(copy)


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for name in path:
        document = document[name]
    return document


def field_cases(data: bytes) -> list[bytes]:
    """Return a bundle with each of its fields altered or removed."""
    document = json.loads(data)
    cases = []
    for path in leaves(document):
        old = at(document, path)
        cases += [put(document, path, value) for value in (*changed(old), REMOVED)]
    return sorted(set(cases) - {data})


WORLDS = ("ledger_world", "status_world")
NEVER_ALONE = {"canonical", "supersession", "validity"}
"""Steps that no altered field of a whole bundle makes fail: others fail before them."""


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> LedgerWorld:
    """Return a bundle without and one with a status list and disclosures."""
    found: LedgerWorld = request.getfixturevalue(request.param)
    return found


def left_out(world: LedgerWorld) -> list[dict[str, Any]]:
    """Return what a bundle may come without, one thing at a time."""
    found: list[dict[str, Any]] = [{name: value} for name, value in OPTIONAL.items()]
    if world.bundle.status is None:
        return found
    # The list and the anchor are those of the newer tree: without it they do not hold.
    found = [each for each in found if "consistency" not in each]
    texts = json.loads(world.data)["disclosures"]
    fewer = [[], texts[:1], texts[1:]]
    return [*found, {"status": None}, *({"disclosures": each} for each in fewer)]


def test_equal__each_field_altered(static_page: StaticPage, world: LedgerWorld) -> None:
    cases = field_cases(world.data)
    required = world.policy.required - {"anchor"} | {"consistency"}
    policy = replace(world.policy, required=required)
    (whole,) = compare(static_page, [world.data], policy)
    assert whole.verdict == "valid", [(step.name, step.cause.en) for step in whole.steps]
    found = compare(static_page, cases, policy)
    unspoilt = {case for case, each in zip(cases, found, strict=True) if not failing(each)}
    document = json.loads(world.data)
    assert unspoilt == {canonical({**document, **each}) for each in left_out(world)}
    failed = {name for each in found for name in failing(each)}
    has_status = world.bundle.status is not None
    assert failed >= set(STEPS) - NEVER_ALONE - (set() if has_status else {"status"})
    assert len(cases) > 900


ALTERATIONS: dict[str, Callable[[int], bytes]] = {
    "flipped": lambda byte: bytes([byte ^ 0x01]),
    "cased": lambda byte: bytes([byte ^ 0x20]),
    "lost": lambda _: b"",
    "gained": lambda byte: b" " + bytes([byte]),
}


@pytest.mark.parametrize("manner", ALTERATIONS)
def test_equal__bytes_altered(static_page: StaticPage, world: LedgerWorld, manner: str) -> None:
    data = world.data
    step = 1 if os.environ.get("CARNET_EVERY_BYTE") else SAMPLED_EVERY
    start = list(ALTERATIONS).index(manner) * 4 % step
    places = range(start, len(data), step)
    cases = [data[:i] + ALTERATIONS[manner](data[i]) + data[i + 1 :] for i in places]
    found = compare(static_page, cases, world.policy)
    assert {each.verdict for each in found} == {"not_valid"}
    assert all(map(failing, found))
    assert len(cases) > 200


def _nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def hostile_cases(data: bytes) -> dict[str, bytes]:
    """Return files that are meant to break a reader."""
    document = json.loads(data)
    marked = put(document, ("anchor",), "MARK")
    return {
        "empty": b"",
        "space": b" \n",
        "deep": _nested(100_000),
        "as deep as may be": marked.replace(b'"MARK"', _nested(32)),
        "one deeper": marked.replace(b'"MARK"', _nested(33)),
        "a number one deeper": marked.replace(b'"MARK"', b"[" * 32 + b"1" + b"]" * 32),
        "duplicate": b'{"v":1,' + data[1:],
        "duplicate, escaped": b'{"\\u0076":1,' + data[1:],
        "nul": data.replace(b"urn:", b"urn\x00", 1),
        "nul escaped": data.replace(b"urn:", b"urn\\u0000", 1),
        "nul after": data + b"\x00",
        "two documents": data + data,
        "bom": b"\xef\xbb\xbf" + data,
        "utf-16": data.decode().encode("utf-16"),
        "not utf-8": data.replace(b"urn:", b"urn\xff", 1),
        "overlong": data.replace(b"urn:", b"urn\xc0\xaf", 1),
        "raw surrogate": data.replace(b"urn:", b"urn\xed\xa0\x80", 1),
        "lone surrogate": data.replace(b"urn:", b"urn\\ud800", 1),
        "pair of surrogates": data.replace(b"urn:", b"urn\\ud83d\\ude00", 1),
        "reversed surrogates": data.replace(b"urn:", b"urn\\ude00\\ud83d", 1),
        "float": data.replace(b'"v":1', b'"v":1.0'),
        "exponent": data.replace(b'"v":1', b'"v":1e0'),
        "minus zero": data.replace(b'"v":1', b'"v":-0'),
        "leading zero": data.replace(b'"v":1', b'"v":01'),
        "plus": data.replace(b'"v":1', b'"v":+1'),
        "nan": data.replace(b'"v":1', b'"v":NaN'),
        "2**53": data.replace(b'"v":1', b'"v":9007199254740992'),
        "2**53 - 1": data.replace(b'"v":1', b'"v":9007199254740991'),
        "long integer": data.replace(b'"v":1', b'"v":' + b"1" * 5000),
        "comma": data[:-1] + b",}",
        "single quotes": data.replace(b'"', b"'"),
        "comment": b"/**/" + data,
        "key not ascii": data.replace(b'"v":1', '"ｖ":1'.encode()),
        "prototype": data.replace(b'"v":1', b'"__proto__":{"v":1},"v":1'),
        "script": data.replace(b"eu-ce", b"</script><script>alert(1)</script>"),
        "null": b"null",
        "number": b"1",
        "string": b'"' + b"a" * 100 + b'"',
        "form feed": b"\x0c" + data,
        "no-break space": "\u00a0".encode() + data,
        "line separator": data.replace(b"urn:", "urn\u2028".encode(), 1),
        "delete": data.replace(b"urn:", b"urn\x7f", 1),
        "slash escaped": data.replace(b"/", b"\\/", 1),
        "unknown escape": data.replace(b"urn:", b"urn\\x", 1),
        "newline inside": data.replace(b"urn:", b"urn\n", 1),
        "upper-case hex": data.replace(b"urn:", b"urn\\u00E9", 1),
        "spaced": json.dumps(document, sort_keys=True, ensure_ascii=False).encode(),
    }


def test_equal__hostile_files(static_page: StaticPage, ledger_world: LedgerWorld) -> None:
    cases = hostile_cases(ledger_world.data)
    found = compare(static_page, list(cases.values()), ledger_world.policy)
    for name, each in zip(cases, found, strict=True):
        assert each.verdict == "not_valid", name
    unread = {name for name, each in zip(cases, found, strict=True) if not each.is_bundle}
    assert {"one deeper", "a number one deeper", "duplicate", "bom", "float", "2**53"} <= unread
    assert not {"as deep as may be", "2**53 - 1", "spaced", "script"} & unread


MEBIBYTE = 1024 * 1024
LARGE = [
    ("[", "", 10 * MEBIBYTE),
    ("[", "", 4 * MEBIBYTE),
    (" ", "1", 4 * MEBIBYTE),
    ("1", "", 4 * MEBIBYTE - 1),
    ("[0", "]", 2 * MEBIBYTE),
    ('{"v":', "}", MEBIBYTE // 2),
    ('"', "", 4 * MEBIBYTE),
]
"""Texts that repeat one text some times before another."""


@pytest.mark.parametrize("case", LARGE)
def test_equal__large_files(
    static_page: StaticPage, ledger_world: LedgerWorld, case: tuple[str, str, int]
) -> None:
    unit, tail, count = case
    script = """
        const [[unit, tail, count], policy, day] = argument;
        const data = v.utf8(unit.repeat(count) + tail);
        return v.verifyBundle(data, v.parsePolicy(v.utf8(policy)), day);
    """
    policy = ledger_world.policy
    shown = static_page.call(script, [case, policy.to_toml(), DAY.isoformat()])
    found = verify_bundle((unit * count + tail).encode(), policy, today=DAY)
    assert by_page(shown) == by_python(found)
    assert found.verdict == "not_valid"


def _withholding(number: int, key: Key = ISSUER_KEY) -> tuple[Record, list[str]]:
    """Return an attestation that withholds two fields, and their disclosures."""
    plain = attestation(number)
    fields, hidden = withhold(plain.subject, ["listing", "measures"])
    record = sign_record(
        plain.document["type"][1],
        fields,
        record_id=plain.record_id,
        issuer=key.issuer,
        validity=_validity(plain),
        created=_validity(plain).start,
    )
    return record, [item.text for item in hidden]


def _validity(record: Record) -> Validity:
    return Validity(record.valid_from, record.valid_until)


def bundles() -> dict[str, bytes]:
    """Return bundles of many forms, good and bad, all in logs that the log's own key signs."""
    clock = FixedClock(NOW)
    added = key_event_record(ISSUER_KEY, "issuer", ISSUER_KEY.issuer, clock)
    rotated = rotation_record(
        OTHER_KEY, "issuer", ISSUER_KEY.signer.public_key, ISSUER_KEY.issuer, clock
    )
    again = rotation_record(
        THIRD_KEY, "issuer", OTHER_KEY.signer.public_key, OTHER_KEY.issuer, clock
    )
    revoked = revocation_record(
        "issuer", "issuer", ISSUER_KEY.signer.public_key, "lost", ISSUER_KEY.issuer, clock
    )
    own = key_event_record(OTHER_KEY, "issuer", OTHER_KEY.issuer, clock)
    record, texts = _withholding(3)
    plain, later = attestation(4), attestation(5, issuer=OTHER_KEY.issuer)
    last = attestation(6, issuer=THIRD_KEY.issuer)
    stranger = make_disclosure("seller", "SELLER-2").text
    reserved = make_disclosure("note", "<img src=x onerror=alert(1)>").text
    renamed = sign_record(
        added.document["type"][1],
        added.subject,
        record_id=plain.record_id,
        issuer=ISSUER_KEY.issuer,
        validity=Validity(NOW),
        created=NOW,
    )
    ending = sign_record(
        added.document["type"][1],
        added.subject,
        record_id=added.record_id,
        issuer=ISSUER_KEY.issuer,
        validity=Validity(NOW, NOW),
        created=NOW,
    )
    return {
        "event under another id": forge(plain, renamed),
        "event with an end": forge(plain, ending),
        "withheld": forge(record, added),
        "one revealed": forge(record, added, disclosures=(texts[0],)),
        "all revealed": forge(record, added, disclosures=tuple(texts)),
        "revealed twice": forge(record, added, disclosures=(texts[0], texts[0])),
        "not part of it": forge(record, added, disclosures=(stranger,)),
        "cannot be withheld": forge(record, added, disclosures=(reserved,)),
        "no event": forge(plain, added, events=()),
        "rotated": forge(later, added, rotated),
        "rotated twice": forge(last, added, rotated, again),
        "rotation left out": forge(last, added, rotated, again, events=(0, 2)),
        "signed after rotation": forge(plain, added, rotated),
        "revoked before": forge(plain, added, revoked),
        "revoked later": forge(revoked, added, plain, subject=1, events=(0, 2)),
        "another's": forge(later, added, own),
        "stranger alone": forge(later, own),
        "event of itself": forge(added, subject=0, events=()),
        "event as record": forge(rotated, added),
        "added twice": forge(plain, added, added),
        "no witness": forge(plain, added),
    }


POLICIES = (
    *("plain", "all kinds", "pinned", "another pinned", "second trusted"),
    *("no issuer", "no log", "quorum", "before", "after"),
)


def note_cases(data: bytes) -> list[bytes]:
    """Return a bundle with its checkpoint's lines doubled, dropped, moved and broken."""
    document = json.loads(data)
    lines = document["checkpoint"].split("\n")[:-1]
    texts = ["\n".join([*lines[:i], *lines[i + 1 :]]) + "\n" for i in range(len(lines))]
    texts += ["\n".join([*lines[: i + 1], *lines[i:]]) + "\n" for i in range(len(lines))]
    texts += ["\n".join(lines), "\n".join([*lines[:4], *lines[:3:-1]]) + "\n"]
    texts += [document["checkpoint"].replace("\n", other) for other in ("\r\n", "\n\n", " \n")]
    texts += [document["checkpoint"].replace("— ", other) for other in ("- ", "—  ", "—\u00a0")]
    texts += [document["checkpoint"].replace("=\n", other) for other in ("\n", "==\n", "A\n")]
    texts += [document["checkpoint"].replace("\n7\n", f"\n{n}\n") for n in ("07", "+7", "7" * 17)]
    return [put(document, ("checkpoint",), text) for text in texts]


def test_equal__notes_altered(static_page: StaticPage, ledger_world: LedgerWorld) -> None:
    found = compare(static_page, note_cases(ledger_world.data), ledger_world.policy)
    causes = {step.cause.en for each in found for step in each.steps}
    for words in ("signed twice", "no signature", "not a signature line", "three lines"):
        assert any(words in cause for cause in causes), words
    assert sum(1 for each in found if failing(each)) > 20


@pytest.mark.parametrize("name", POLICIES)
def test_equal__bundles_of_many_forms(
    static_page: StaticPage, ledger_world: LedgerWorld, name: str
) -> None:
    cases = bundles()
    found = compare(static_page, list(cases.values()), policies(ledger_world)[name])
    verdicts = dict(zip(cases, (each.verdict for each in found), strict=True))
    if name == "all kinds":
        assert verdicts["all revealed"] == verdicts["rotated twice"] == "valid"
        assert verdicts["event under another id"] == "not_valid"
        assert verdicts["event with an end"] == "not_valid"
        assert verdicts["signed after rotation"] == verdicts["another's"] == "not_valid"
