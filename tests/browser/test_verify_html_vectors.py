"""The public vectors in the static page, and its arithmetic against libsodium and WebCrypto.

A transcribed set always runs, the published files too where CARNET_VECTORS is set; each test prints
how many vectors it ran.
"""

import hashlib
import json
import os
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from nacl import bindings

from carnet.core.canonical import canonical
from carnet.core.errors import CarnetError, InputError
from carnet.ledger.merkle import (
    append_leaves,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_hash,
    verify_consistency,
    verify_inclusion,
)
from carnet.ledger.policy import parse_policy
from carnet.ledger.signer import Ed25519Signer, check_public_key, verify_signature
from tests.browser.conftest import StaticPage
from tests.fixtures_ledger import LedgerWorld

TRANSCRIBED: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "public.json").read_text(encoding="utf-8")
)
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
FIELD_PRIME = 2**255 - 19
LOW_ORDER = (
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
)
"""Every point of low order, and some of them in a second spelling."""

SIGNATURES_HOLD = """
    return argument.map(([key, message, signature]) => holds(() => v.verifySignature(
        v.fromHex(key), v.fromHex(message), v.fromHex(signature))));
"""
KEYS_HOLD = "return argument.map((key) => holds(() => v.checkPublicKey(v.fromHex(key))));"

Count = Callable[[str, int], None]


@pytest.fixture
def count(capsys: pytest.CaptureFixture[str]) -> Count:
    """Print how many vectors ran, past the capture of output."""

    def show(name: str, run: int) -> None:
        with capsys.disabled():
            print(f"\nvectors in the page, {name}: {run} run", end=" ")
        assert run > 0

    return show


def _folder() -> Path | None:
    named = os.environ.get("CARNET_VECTORS")
    return Path(named) if named else None


def _published(path: str) -> Any:
    folder = _folder()
    return json.loads((folder / path).read_text(encoding="utf-8")) if folder else None


def _does(run: Callable[..., object], *arguments: Any) -> bool:
    try:
        run(*arguments)
    except CarnetError:
        return False
    return True


def test_ed25519__wycheproof(static_page: StaticPage, count: Count) -> None:
    whole = _published("wycheproof-ed25519/testvectors_v1/ed25519_test.json")
    cases: list[Mapping[str, Any]] = list(TRANSCRIBED["ed25519"])
    if whole is not None:
        groups = whole["testGroups"]
        cases = [
            {**case, "pk": each["publicKey"]["pk"]} for each in groups for case in each["tests"]
        ]
    shown = static_page.call(SIGNATURES_HOLD, [[c["pk"], c["msg"], c["sig"]] for c in cases])
    assert shown == [case["result"] == "valid" for case in cases]
    count("wycheproof ed25519", len(cases))


def _edge_cases() -> list[tuple[bytes, bytes, bytes]]:
    """Return keys, messages and signatures around every rule: torsion, low order, spelling, S."""
    chooser = random.Random(2026)
    seed = bytes(range(32))
    public = Ed25519Signer(seed).public_key
    low = [bytes.fromhex(text) for text in LOW_ORDER]
    second = [(FIELD_PRIME + y).to_bytes(32, "little") for y in range(19)]
    second += [(FIELD_PRIME + y + 2**255).to_bytes(32, "little") for y in range(19)]
    secret = int.from_bytes(chooser.randbytes(32), "little") % GROUP_ORDER
    nonce = int.from_bytes(chooser.randbytes(32), "little") % GROUP_ORDER
    cases = []
    for key_torsion in [None, *low[:8]]:
        for nonce_torsion in [None, *low[:8]]:
            for number in range(4):
                message = bytes([number])
                key = _multiple(secret, key_torsion)
                point = _multiple(nonce, nonce_torsion)
                cases.append((key, message, point + _response(point, key, message, nonce, secret)))
    for point in low:
        # Without a nonce the equation holds for the neutral R, which has low order all the same.
        key = _multiple(secret, None)
        cases.append((key, b"x", point + _response(point, key, b"x", 0, secret)))
    for key in (*low, *second, public, bytes(range(32, 64))):
        for point in (*low, *second[:4], public):
            cases.append((key, b"x", point + bytes(32)))
            cases.append((key, b"x", point + _response(point, key, b"x", 0, 0)))
    good = Ed25519Signer(seed).sign(b"x")
    s = int.from_bytes(good[32:], "little")
    others = (s + GROUP_ORDER, 0, GROUP_ORDER - 1, GROUP_ORDER, 2**253, 2**256 - 1)
    cases += [(public, b"x", good[:32] + other.to_bytes(32, "little")) for other in others]
    cases += [(public, b"x", good[:cut]) for cut in (0, 32, 63)]
    cases += [(public, b"x", good + b"\x00"), (public[:31], b"x", good), (public, b"x", good)]
    cases += [
        (
            public,
            b"x",
            good[: bit // 8] + bytes([good[bit // 8] ^ 1 << bit % 8]) + good[bit // 8 + 1 :],
        )
        for bit in range(0, 512, 7)
    ]
    return cases


def _multiple(scalar: int, torsion: bytes | None) -> bytes:
    point = bindings.crypto_scalarmult_ed25519_base_noclamp(scalar.to_bytes(32, "little"))
    return point if torsion is None else bindings.crypto_core_ed25519_add(point, torsion)


def _response(point: bytes, key: bytes, message: bytes, nonce: int, secret: int) -> bytes:
    digest = hashlib.sha512(point + key + message).digest()
    k = int.from_bytes(digest, "little") % GROUP_ORDER
    return ((nonce + k * secret) % GROUP_ORDER).to_bytes(32, "little")


def test_ed25519__edge_cases_as_libsodium(static_page: StaticPage) -> None:
    cases = _edge_cases()
    shown = static_page.call(SIGNATURES_HOLD, [[part.hex() for part in case] for case in cases])
    expected = [_does(verify_signature, *case) for case in cases]
    assert shown == expected
    assert 20 < sum(expected) < len(cases) - 500
    keys = sorted({case[0] for case in cases})
    sound = [_does(check_public_key, key) for key in keys]
    assert static_page.call(KEYS_HOLD, [key.hex() for key in keys]) == sound
    assert any(sound)
    assert not all(sound)


def test_hashes_and_signatures__as_web_crypto(static_page: StaticPage) -> None:
    chooser = random.Random(8032)
    messages = [chooser.randbytes(size) for size in (*range(260), 1000, 65_537)]
    signer = Ed25519Signer(chooser.randbytes(32))
    cases = [[signer.public_key.hex(), m.hex(), signer.sign(m).hex()] for m in messages[:40]]
    script = """
        const { messages, cases } = argument;
        const bytes = messages.map(v.fromHex);
        const web = async (name, data) =>
            v.toHex(new Uint8Array(await crypto.subtle.digest(name, data)));
        const faults = [];
        for (const data of bytes) {
            if (await web("SHA-256", data) !== v.toHex(v.sha256(data))) faults.push(data.length);
            if (await web("SHA-512", data) !== v.toHex(v.sha512(data))) faults.push(data.length);
        }
        for (const [key, message, signature] of cases.map((each) => each.map(v.fromHex))) {
            const webKey = await crypto.subtle.importKey("raw", key, "Ed25519", false, ["verify"]);
            const other = signature.slice();
            other[40] ^= 1;
            for (const each of [signature, other]) {
                const theirs = await crypto.subtle.verify("Ed25519", webKey, each, message);
                const ours = holds(() => v.verifySignature(key, message, each));
                if (theirs !== ours || ours !== (each === signature)) faults.push("signature");
            }
        }
        return faults;
    """
    argument = {"messages": [each.hex() for each in messages], "cases": cases}
    assert static_page.call(f"return (async () => {{ {script} }})();", argument) == []


def test_note__published(static_page: StaticPage, count: Count) -> None:
    notes = _published("c2sp-signed-note/notes.json") or TRANSCRIBED["notes"]
    script = """
        const [notes, keys] = argument;
        const verified = notes.map(({ note, vkeys }) => holds(() => {
            const parsed = v.parseNote(note);
            const signed = (key) => v.signaturesOf(parsed, key).length;
            const known = vkeys.map(v.parseVerifierKey).filter(signed);
            if (!known.length) v.fromHex("none");
            known.forEach((key) => v.verifyNote(parsed, key));
        }));
        return [verified, keys.map((key) => holds(() => v.parseVerifierKey(key)))];
    """
    verified, keys = static_page.call(script, [notes["notes"], notes["bad_vkeys"]])
    assert verified == [case["ok"] for case in notes["notes"]]
    assert not any(keys)
    count("signed notes", len(verified) + len(keys))


SUITE = """
    const [multikey, text] = argument;
    const signed = v.parseStrict(v.utf8(text));
    const key = v.keyOfMultibase(multikey);
    v.verifyProof(signed, key);
    const proof = new Map(signed.get("proof"));
    proof.delete("proofValue");
    const document = new Map(signed);
    document.delete("proof");
    const altered = new Map(signed).set("id", "urn:uuid:other");
    return {
        data: v.toHex(v.hashData(document, proof)),
        canonical: new TextDecoder().decode(v.canonical(document)),
        signature: v.toHex(v.fromMultibase(signed.get("proof").get("proofValue"))),
        altered: holds(() => v.verifyProof(altered, key)),
    };
"""


def test_eddsa_jcs_2022__vectors(static_page: StaticPage, count: Count) -> None:
    suite = TRANSCRIBED["eddsa-jcs-2022"]
    key = suite["keyPair"]["publicKeyMultibase"]
    found = static_page.call(SUITE, [key, json.dumps(suite["signed"])])
    assert found["data"] == suite["optionsHash"] + suite["documentHash"]
    assert not found["altered"]
    run, folder = 1, _folder()
    if folder is not None:
        root = folder / "w3c-eddsa-jcs-2022" / "TestVectors"
        text = {
            path.name: path.read_text(encoding="utf-8").strip()
            for path in (root / "eddsa-jcs-2022").iterdir()
        }
        key = json.loads((root / "keyPair.json").read_text(encoding="utf-8"))["publicKeyMultibase"]
        found = static_page.call(SUITE, [key, text["signedJCS.json"]])
        assert found["data"] == text["combinedHashJCS.txt"]
        assert found["data"] == text["proofHashJCS.txt"] + text["docHashJCS.txt"]
        assert found["canonical"] == text["canonDocJCS.txt"]
        assert found["signature"] == text["sigHexJCS.txt"]
        run += len(text)
    count("eddsa-jcs-2022", run)


def test_disclosures__rfc_9901(static_page: StaticPage, count: Count) -> None:
    whole = _published("sd-jwt-rfc9901/rfc9901-example1.json")
    cases = TRANSCRIBED["disclosures"]["disclosures"]
    if whole is not None:
        cases = [*whole["disclosures"], *whole["section_4_2"]]
    script = "return argument.map(v.disclosureDigest);"
    shown = static_page.call(script, [case["disclosure"] for case in cases])
    assert shown == [case["digest"] for case in cases]
    count("RFC 9901 digests", len(cases))


CANONICAL = """
    return argument.map((text) => {
        try {
            return new TextDecoder().decode(v.canonical(v.parseStrict(v.utf8(text))));
        } catch (error) {
            if (!error.cause) throw error;
            return null;
        }
    });
"""
OUTSIDE_THE_PROFILE = {"french", "structures", "values", "weird"}


def _random_value(chooser: random.Random, depth: int) -> Any:
    kind = chooser.randrange(7 if depth else 5)
    if kind == 0:
        return chooser.choice([True, False, None, 0, -1, 2**53 - 1, 1 - 2**53])
    if kind == 1:
        return chooser.randrange(-(10**9), 10**9)
    if kind < 5:
        alphabet = 'aZ"\\/\b\f\n\r\t\x00\x1f\x7f\u0080é\u2028\ufeff\uffff\U0001f600验证'
        return "".join(chooser.choices(alphabet, k=chooser.randrange(6)))
    items = [_random_value(chooser, depth - 1) for _ in range(chooser.randrange(5))]
    if kind == 5:
        return items
    names = ["", "a", "A", "10", "9", "__proto__", "constructor", "\x00", "\n", "aa", "~"]
    return {chooser.choice(names): item for item in items}


def test_jcs__published_and_random(static_page: StaticPage, count: Count) -> None:
    chooser = random.Random(8785)
    values = [_random_value(chooser, 4) for _ in range(2000)]
    texts = [json.dumps(value, ensure_ascii=chooser.random() < 0.5) for value in values]
    assert static_page.call(CANONICAL, texts) == [canonical(value).decode() for value in values]
    run, folder = len(texts), _folder()
    if folder is not None:
        data = folder / "rfc8785-jcs" / "testdata"
        paths = sorted((data / "input").iterdir())
        shown = static_page.call(CANONICAL, [path.read_text(encoding="utf-8") for path in paths])
        for path, text in zip(paths, shown, strict=True):
            expected = (data / "output" / path.name).read_text(encoding="utf-8")
            assert text == (None if path.stem in OUTSIDE_THE_PROFILE else expected), path.name
        run += len(paths)
    count("RFC 8785", run)


TREES = """
    const bytes = (texts) => texts.map(v.fromHex);
    return argument.map(({ kind, numbers, hashes, proof }) => holds(() => kind === "inclusion"
        ? v.verifyInclusion(v.fromHex(hashes[0]), ...numbers, bytes(proof), v.fromHex(hashes[1]))
        : v.verifyConsistency(...numbers, bytes(proof), ...bytes(hashes))));
"""


def _tree_cases(most: int) -> list[dict[str, Any]]:
    """Return both proofs for every tree up to a size, each followed by spoilt ones."""
    leaves = [leaf_hash(bytes([number])) for number in range(most)]
    nodes = dict(append_leaves(0, leaves, {}.__getitem__))
    roots = [root_hash(size, nodes.__getitem__) for size in range(most + 1)]
    cases = []
    for size in range(1, most + 1):
        for index in range(size):
            proof = inclusion_proof(index, size, nodes.__getitem__)
            cases.append(("inclusion", [index, size], [leaves[index], roots[size]], proof))
        for first in range(1, size + 1):
            proof = consistency_proof(first, size, nodes.__getitem__)
            cases.append(("consistency", [first, size], [roots[first], roots[size]], proof))
    chooser = random.Random(9162)
    spoilt = [_spoil(case, chooser) for case in cases]
    big = [
        ("inclusion", [2**53 - 2, 2**53 - 1], [leaves[0], roots[1]], [leaves[0]] * length)
        for length in (1, 52, 53, 65)
    ]
    empty = [("consistency", [0, size], [roots[0], roots[size]], []) for size in range(most)]
    return [
        {
            "kind": kind,
            "numbers": numbers,
            "hashes": [item.hex() for item in hashes],
            "proof": [item.hex() for item in proof],
        }
        for kind, numbers, hashes, proof in [*cases, *spoilt, *big, *empty]
    ]


def _spoil(case: Any, chooser: random.Random) -> Any:
    kind, numbers, hashes, proof = case
    match chooser.randrange(5):
        case 0:
            return kind, [numbers[0] + 1, numbers[1]], hashes, proof
        case 1:
            return kind, [numbers[0], numbers[1] + chooser.choice([-1, 1])], hashes, proof
        case 2:
            return kind, numbers, hashes[::-1], proof
        case 3:
            return kind, numbers, hashes, [*proof, hashes[0]]
        case _:
            return kind, numbers, hashes, proof[:-1]


def test_trees__every_proof_as_python(static_page: StaticPage) -> None:
    cases = _tree_cases(33)
    expected = []
    for case in cases:
        run = verify_inclusion if case["kind"] == "inclusion" else verify_consistency
        first, second = (bytes.fromhex(text) for text in case["hashes"])
        proof = [bytes.fromhex(text) for text in case["proof"]]
        numbers = case["numbers"]
        if case["kind"] == "inclusion":
            expected.append(_does(run, first, *numbers, proof, second))
        else:
            expected.append(_does(run, *numbers, proof, first, second))
    assert static_page.call(TREES, cases) == expected
    assert len(cases) > 2000
    assert len(cases) // 2 < sum(expected) < len(cases)


def _policy_texts(good: str) -> list[str]:
    """Return policies in many spellings of TOML, good and bad."""
    lines = good.split("\n")
    swaps = [
        ("version = 1", "version = 0x1"),
        ("version = 1", "version=+1 # one"),
        ("version = 1", "'version' = 1"),
        ("version = 1", '"ver\\u0073ion" = 1'),
        ("version = 1", "version = 1.0"),
        ("version = 1", "version = 01"),
        ("version = 1", "version = 1_0"),
        ("version = 1", "version = true"),
        ("version = 1", "version = 2"),
        ("version = 1", "version = 1\nversion = 1"),
        ("version = 1", "version = 1 2"),
        ("version = 1", ""),
        ("version = 1", "version = 1\nother = 1"),
        ("version = 1", "version = 1\nvalidity = { as_of = 2026-11-23 }"),
        ("version = 1", "version = 1\nvalidity = { as_of = 2026-11-23, }"),
        ("version = 1", "version = 1\nvalidity.as_of = 2026-11-23"),
        ("version = 1", "version = 1\nvalidity.as_of = 2026-02-30"),
        ("version = 1", "version = 1\nvalidity.as_of = 2026-11-23T00:00:00Z"),
        ("version = 1", "version = 1\nvalidity.as_of = 2026-11-23 00:00:00"),
        ("version = 1", "version = 1\nvalidity.as_of = 00:00:00"),
        ("version = 1", 'version = 1\nvalidity.as_of = "2026-11-23"'),
        ("version = 1", "version = 1\n[validity]\nas_of = 2026-11-23\n[validity]"),
        ('["parse"', '[\n  # first\n  "parse"\n'),
        ('["parse"', '["Parse"'),
        ('["parse"', "['parse'"),
        ('["parse"', '["""parse"""'),
        ('["parse"', "['''\nparse'''"),
        ('["parse"', '["par\\\n   se"'),
        ('["parse"', '["""par\\\n   se"""'),
        ('["parse"', '["\\x70arse"'),
        ("[[issuers]]", "[issuers]"),
        ("[[issuers]]", "[ [issuers]]"),
        ("[[issuers]]", "[[ 'issuers' ]] # who"),
        ("[witnesses]", "[witnesses.more]"),
        ("[witnesses]", "[[witnesses]]"),
        ("[witnesses]", "[witnesses]\n[witnesses]"),
        ("[witnesses]", "[version]"),
        ("quorum = 1", "quorum = 2"),
        ("quorum = 1", "quorum = 0"),
        ("quorum = 1", "quorum = -1"),
        ("chain_id = 31337", "chain_id = 31_337"),
        ("chain_id = 31337", "chain_id = 0"),
        ("chain_id = 31337", "chain_id = 9007199254740993"),
        ("0x5a", "0X5a"),
        ("0x5a", "0x5A"),
        ("carnet.example/log+", "carnet.example/other+"),
        ("z6Mk", "z6Mj"),
    ]
    assert all(old in good for old, _ in swaps), "each swap changes something"
    texts = [good, "", "\ufeff" + good, good + "\x00", good.replace("\n", "\r\n")]
    texts += [good.replace("\n", "\r"), good + "\n[a.b]\n[a]", "\n".join(lines[1:]), "{}", "[["]
    return [*texts, *(good.replace(old, new, 1) for old, new in swaps)]


def test_policy__read_as_python_reads_it(
    static_page: StaticPage, ledger_world: LedgerWorld
) -> None:
    texts = _policy_texts(ledger_world.policy.to_toml())
    script = "return argument.map((text) => holds(() => v.parsePolicy(v.utf8(text))));"
    shown = static_page.call(script, texts)
    expected = []
    for text in texts:
        try:
            parse_policy(text.encode())
        except InputError:
            expected.append(False)
        else:
            expected.append(True)
    differing = [
        text for text, ours, theirs in zip(texts, expected, shown, strict=True) if ours != theirs
    ]
    assert differing == []
    assert 10 < sum(expected) < len(texts) - 20
