"""Signed notes, checkpoints and cosignatures: one spelling and an exact grammar."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from carnet.core.digests import RootHash
from carnet.core.errors import CheckpointError, SignatureError, VerificationError
from carnet.ledger.checkpoint import (
    Checkpoint,
    cosign,
    parse_body,
    parse_checkpoint,
    sign_checkpoint,
    verify_checkpoint,
    verify_cosignature,
    with_signatures,
)
from carnet.ledger.encoding import base64_encode
from carnet.ledger.note import (
    COSIGNATURE_V1,
    ED25519,
    Note,
    NoteSignature,
    VerifierKey,
    key_id,
    parse_note,
    parse_verifier_key,
    sign_note,
    verify_note,
)
from carnet.ledger.signer import Ed25519Signer

SIGNER = Ed25519Signer(b"\x07" * 32)
OTHER = Ed25519Signer(b"\x08" * 32)
NAME = "log.example/a"
KEY = VerifierKey(NAME, ED25519, SIGNER.public_key)
WITNESS = VerifierKey("w.example", COSIGNATURE_V1, OTHER.public_key)
AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
TREE = Checkpoint(NAME, 9, RootHash(bytes(range(32))))
SIGNED = sign_checkpoint(TREE, SIGNER)
LOW_ORDER = bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")


def test_note__to_text_then_back() -> None:
    body = "first\n\nsecond — with a dash\n"
    note = Note(body, (sign_note(body, NAME, SIGNER), sign_note(body, "b", OTHER)))
    assert parse_note(note.to_text()) == note
    verify_note(note, KEY)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1],
        lambda text: text + "\n",
        lambda text: text.replace("\n\n", "\n"),
        lambda text: text.replace("— ", "- "),
        lambda text: text.replace("— ", "—  "),
        lambda text: text.replace("=\n", "\n"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text + text.split("\n\n")[1],
        lambda text: text.replace(NAME + " ", "log+x "),
        lambda text: text.replace(NAME + " ", "log\u00a0x "),
        lambda text: text + "— x AAAA\n",
        lambda text: text + "— x !!!!\n",
        lambda text: text + "trailing\n",
        lambda text: "\t" + text,
        lambda text: "\x00" + text,
        lambda text: "x" * 70_000 + text,
        lambda text: text + "".join(f"— n{number} AAAAAAAA\n" for number in range(40)),
        lambda text: text[:0],
        lambda text: "\ud800" + text,
    ],
)
def test_note__another_spelling_is_refused(change: Callable[[str], str]) -> None:
    text = SIGNED.text
    changed = change(text)
    assert changed != text
    with pytest.raises(CheckpointError):
        parse_note(changed)


def test_note__base64_with_spare_bits_is_refused() -> None:
    line = SIGNED.note.signatures[0].to_line()
    encoded = line.split(" ")[2].strip()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    assert encoded.endswith("=")
    last = encoded[-2] if not encoded.endswith("==") else encoded[-3]
    other = encoded.replace(last + "=", alphabet[alphabet.index(last) + 1] + "=")
    with pytest.raises(CheckpointError):
        parse_note(SIGNED.text.replace(encoded, other))


def test_verify_note__unsigned_and_badly_signed() -> None:
    with pytest.raises(CheckpointError):
        verify_note(SIGNED.note, VerifierKey(NAME, ED25519, OTHER.public_key))
    line = SIGNED.note.signatures[0]
    forged = replace(SIGNED.note, signatures=(replace(line, signature=bytes(64)),))
    with pytest.raises(SignatureError):
        verify_note(forged, KEY)


def test_verifier_key__to_text_then_back() -> None:
    for key in (KEY, WITNESS):
        assert parse_verifier_key(key.to_text()) == key


def _vkey(name: str, material: bytes, kind: int = ED25519) -> str:
    return f"{name}+{key_id(name, kind, material).hex()}+{base64_encode(bytes([kind]) + material)}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000",
        KEY.to_text().upper(),
        KEY.to_text() + "=",
        KEY.to_text() + " ",
        "+" + KEY.to_text(),
        _vkey("a b", SIGNER.public_key),
        _vkey("a", SIGNER.public_key, 2),
        _vkey("a", SIGNER.public_key[:-1]),
        _vkey("a", SIGNER.public_key + b"\x00"),
        _vkey("a", LOW_ORDER),
        _vkey("a", bytes(32)),
        _vkey("a", b"\xff" * 32),
        f"{NAME}+00000000+{KEY.to_text().split('+', 2)[2]}",
        f"{NAME}+{KEY.key_id.hex()}+",
    ],
)
def test_verifier_key__bad_ones_are_refused(text: str) -> None:
    with pytest.raises(VerificationError):
        parse_verifier_key(text)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "a\n1\n",
        f"a\n1\n{base64_encode(bytes(32))}",
        f"a\n1\n{base64_encode(bytes(32))}\nextension\n",
        f"a\n01\n{base64_encode(bytes(32))}\n",
        f"a\n-1\n{base64_encode(bytes(32))}\n",
        f"a\n١\n{base64_encode(bytes(32))}\n",
        f"a\n{2**53}\n{base64_encode(bytes(32))}\n",
        f"a\n{10**30}\n{base64_encode(bytes(32))}\n",
        f"a\n1\n{base64_encode(bytes(31))}\n",
        "a\n1\nnot base64\n",
        f"a b\n1\n{base64_encode(bytes(32))}\n",
        f"a+b\n1\n{base64_encode(bytes(32))}\n",
        f"\n1\n{base64_encode(bytes(32))}\n",
    ],
)
def test_checkpoint__another_body_is_refused(body: str) -> None:
    with pytest.raises(CheckpointError):
        parse_body(body)


def test_checkpoint__to_text_then_back() -> None:
    assert parse_checkpoint(SIGNED.text) == SIGNED
    verify_checkpoint(SIGNED, KEY)
    with pytest.raises(CheckpointError):
        verify_checkpoint(SIGNED, VerifierKey("log.example/b", ED25519, SIGNER.public_key))


def test_checkpoint__the_specification_s_example_is_read() -> None:
    text = (
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5"
        "/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
        "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJs"
        "X3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
    )
    signed = parse_checkpoint(text)
    assert signed.checkpoint.size == 20852163
    assert signed.text == text
    timestamp = int.from_bytes(signed.note.signatures[1].signature[:8], "big")
    assert timestamp == 1679315147


def test_cosignature__verifies_with_its_time() -> None:
    signed = with_signatures(SIGNED, (cosign(TREE, WITNESS.name, OTHER, AT),))
    assert verify_cosignature(parse_checkpoint(signed.text), WITNESS) == int(AT.timestamp())


def test_cosignature__every_change_is_noticed() -> None:
    line = cosign(TREE, WITNESS.name, OTHER, AT)
    later = (int(AT.timestamp()) + 1).to_bytes(8, "big") + line.signature[8:]
    for signature in (later, line.signature[:-1], line.signature + b"\x00", b"\xff" * 72, b"\x01"):
        forged = with_signatures(SIGNED, (replace(line, signature=signature),))
        with pytest.raises(VerificationError):
            verify_cosignature(forged, WITNESS)
    with pytest.raises(CheckpointError):
        verify_cosignature(SIGNED, WITNESS)


def test_cosignature__a_plain_signature_is_none() -> None:
    plain = sign_note(TREE.to_body(), WITNESS.name, OTHER)
    posing = NoteSignature(WITNESS.name, WITNESS.key_id, plain.signature)
    with pytest.raises(VerificationError):
        verify_cosignature(with_signatures(SIGNED, (posing,)), WITNESS)
