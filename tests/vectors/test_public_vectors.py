"""Public vectors: a transcribed set always, whole published files where CARNET_VECTORS is set.

Each test prints how many vectors it ran.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from carnet.core.canonical import canonical
from carnet.core.errors import CarnetError, RecordFormatError, SignatureError, VerificationError
from carnet.ledger.did import key_of_multibase
from carnet.ledger.disclosure import disclosure_digest
from carnet.ledger.encoding import multibase_decode, multibase_encode
from carnet.ledger.note import parse_note, parse_verifier_key, sign_note, verify_note
from carnet.ledger.proof import hash_data, verify_proof
from carnet.ledger.signer import Ed25519Signer, verify_signature

TRANSCRIBED: dict[str, Any] = json.loads(
    (Path(__file__).parent / "public.json").read_text(encoding="utf-8")
)
SECRET_KEY_PREFIX = b"\x80\x26"
NOTES_ALL = 6
OUTSIDE_THE_PROFILE = {"french", "structures", "values", "weird"}
"""Documents with floats or with keys outside ASCII."""

PUBLISHED_MIN = {
    "wycheproof ed25519": 151,
    "signed notes": 8,
    "eddsa-jcs-2022 published": 9,
    "RFC 9901 digests": 12,
    "RFC 8785": 8,
}
"""How many there are where the folder is given: a file that is gone must not pass for one read."""


def _folder() -> Path | None:
    named = os.environ.get("CARNET_VECTORS")
    return Path(named) if named else None


Count = Callable[[str, int], None]


@pytest.fixture
def count(capsys: pytest.CaptureFixture[str]) -> Count:
    """Print how many vectors ran, past the capture of output."""

    def show(name: str, run: int) -> None:
        with capsys.disabled():
            print(f"\nvectors, {name}: {run} run", end=" ")
        assert run >= (PUBLISHED_MIN.get(name, 1) if _folder() else 1)

    return show


def _published(path: str) -> Any:
    folder = _folder()
    return json.loads((folder / path).read_text(encoding="utf-8")) if folder else None


def _ed25519_cases() -> list[Mapping[str, Any]]:
    whole = _published("wycheproof-ed25519/testvectors_v1/ed25519_test.json")
    if whole is None:
        return list(TRANSCRIBED["ed25519"])
    return [
        {**case, "pk": group["publicKey"]["pk"]}
        for group in whole["testGroups"]
        for case in group["tests"]
    ]


def test_ed25519__wycheproof(count: Count) -> None:
    cases = _ed25519_cases()
    for case in cases:
        key, message, signature = (bytes.fromhex(case[name]) for name in ("pk", "msg", "sig"))
        if case["result"] == "valid":
            verify_signature(key, message, signature)
        else:
            with pytest.raises(SignatureError):
                verify_signature(key, message, signature)
    count("wycheproof ed25519", len(cases))


def _note_holds(text: str, verifier_keys: list[str]) -> bool:
    try:
        note = parse_note(text)
        keys = [parse_verifier_key(item) for item in verifier_keys]
        known = [key for key in keys if note.signatures_of(key)]
        for key in known:
            verify_note(note, key)
    except CarnetError:
        return False
    return bool(known)


def test_note__published(count: Count) -> None:
    notes = _published("c2sp-signed-note/notes.json") or TRANSCRIBED["notes"]
    for case in notes["notes"]:
        assert _note_holds(case["note"], case["vkeys"]) == case["ok"], case["name"]
    for text in notes["bad_vkeys"]:
        with pytest.raises(VerificationError):
            parse_verifier_key(text)
    count("signed notes", len(notes["notes"]) + len(notes["bad_vkeys"]))
    assert len(notes["notes"]) >= NOTES_ALL


def test_note__signing_again_gives_the_published_line() -> None:
    import base64

    notes = TRANSCRIBED["notes"]
    name, _, material = notes["skey"].removeprefix("PRIVATE+KEY+").split("+", 2)
    signer = Ed25519Signer(base64.b64decode(material)[1:])
    text = notes["notes"][0]["note"]
    line = sign_note(parse_note(text).text, name, signer).to_line()
    assert line in text


def _check_suite(key_pair: Mapping[str, str], signed: Mapping[str, Any]) -> dict[str, str]:
    """Verify a published credential, sign it anew and return the two hashes."""
    public_key = key_of_multibase(key_pair["publicKeyMultibase"])
    verify_proof(signed, public_key)
    document = {name: value for name, value in signed.items() if name != "proof"}
    options = {name: value for name, value in signed["proof"].items() if name != "proofValue"}
    secret = multibase_decode(key_pair["privateKeyMultibase"]).removeprefix(SECRET_KEY_PREFIX)
    signer = Ed25519Signer(secret)
    assert signer.public_key == public_key
    data = hash_data(document, options)
    assert multibase_encode(signer.sign(data)) == signed["proof"]["proofValue"]
    return {"optionsHash": data[:32].hex(), "documentHash": data[32:].hex()}


def test_eddsa_jcs_2022__transcribed(count: Count) -> None:
    suite = TRANSCRIBED["eddsa-jcs-2022"]
    hashes = _check_suite(suite["keyPair"], suite["signed"])
    assert hashes["documentHash"] == suite["documentHash"]
    assert hashes["optionsHash"] == suite["optionsHash"]
    count("eddsa-jcs-2022 transcribed", 1)


def test_eddsa_jcs_2022__every_published_intermediate(count: Count) -> None:
    folder = _folder()
    if folder is not None:
        root = folder / "w3c-eddsa-jcs-2022" / "TestVectors"
        suite = root / "eddsa-jcs-2022"
        text = {path.name: path.read_text(encoding="utf-8").strip() for path in suite.iterdir()}
        signed = json.loads(text["signedJCS.json"])
        key_pair = json.loads((root / "keyPair.json").read_text(encoding="utf-8"))
        hashes = _check_suite(key_pair, signed)
        options = json.loads(text["proofConfigJCS.json"])
        unsigned = json.loads((root / "unsigned.json").read_text(encoding="utf-8"))
        assert canonical(unsigned).decode() == text["canonDocJCS.txt"]
        assert canonical(options).decode() == text["proofCanonJCS.txt"]
        assert hashes["documentHash"] == text["docHashJCS.txt"]
        assert hashes["optionsHash"] == text["proofHashJCS.txt"]
        assert hash_data(unsigned, options).hex() == text["combinedHashJCS.txt"]
        assert signed["proof"]["proofValue"] == text["sigBTC58JCS.txt"]
        assert multibase_decode(text["sigBTC58JCS.txt"]).hex() == text["sigHexJCS.txt"]
        count("eddsa-jcs-2022 published", len(text))


def test_disclosures__rfc_9901(count: Count) -> None:
    whole = _published("sd-jwt-rfc9901/rfc9901-example1.json")
    cases = TRANSCRIBED["disclosures"]["disclosures"]
    if whole is not None:
        cases = [*whole["disclosures"], *whole["section_4_2"]]
    for case in cases:
        assert disclosure_digest(case["disclosure"]) == case["digest"]
    count("RFC 9901 digests", len(cases))


JCS: tuple[tuple[Any, bytes], ...] = (
    ([56, {"d": True, "10": None, "1": []}], b'[56,{"1":[],"10":null,"d":true}]'),
    (
        {"Unnormalized Unicode": "A\u030a"},
        '{"Unnormalized Unicode":"A\u030a"}'.encode(),
    ),
)
"""The published documents that lie inside the profile."""


def test_jcs__published(count: Count) -> None:
    for value, expected in JCS:
        assert canonical(value) == expected
    folder, run = _folder(), len(JCS)
    if folder is not None:
        data = folder / "rfc8785-jcs" / "testdata"
        for path in sorted((data / "input").iterdir()):
            value = json.loads(path.read_text(encoding="utf-8"))
            if path.stem in OUTSIDE_THE_PROFILE:
                with pytest.raises(RecordFormatError):
                    canonical(value)
            else:
                assert canonical(value) == (data / "output" / path.name).read_bytes()
            run += 1
    count("RFC 8785", run)
