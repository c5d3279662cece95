"""A witness: cosigns the checkpoints of logs, each only if it continues the last one it signed.

A witness vouches for one thing: that all who see its cosignatures see one history of a log. It
keeps the last checkpoint of each log in its own folder, and writes it before it signs, so that a
crash in between can repeat a signature but never give one to a second history.

Source: C2SP tlog-witness and tlog-cosignature (cosignature/v1).
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from carnet.core.clock import Clock
from carnet.core.envelope import Secret, open_file, seal_file
from carnet.core.errors import ConflictError, InputError, VerificationError
from carnet.core.files import make_private_folder, write_atomic
from carnet.core.text import Text
from carnet.ledger.checkpoint import (
    SignedCheckpoint,
    cosign,
    parse_checkpoint,
    verify_checkpoint,
    verify_cosignature,
    with_signatures,
)
from carnet.ledger.note import (
    COSIGNATURE_V1,
    ED25519,
    NoteSignature,
    VerifierKey,
    is_key_name,
    parse_verifier_key,
)
from carnet.ledger.seen import ConsistencyProof, UnprovenError, prove_prefix
from carnet.ledger.shape import shown
from carnet.ledger.signer import SEED_SIZE, Ed25519Signer, check_public_key
from carnet.services.seen import SeenStore

KEY_FILE: Final = "witness.key"
VERIFIER_KEY_FILE: Final = "witness.vkey"
LOGS_FOLDER: Final = "logs"
ENVELOPE_ROLE: Final = "ledger-witness"


def new_witness(state: Path, name: str, secret: Secret) -> VerifierKey:
    """Make the key of a witness in its folder, and return what policies name.

    Args:
        state: The folder of the witness.
        name: The name it cosigns under: a URL without scheme by custom, no space and no plus.
        secret: What its key is encrypted under.

    Raises:
        InputError: The name cannot be one, or the folder holds a witness already.
    """
    if not (is_key_name(name) and name.isascii() and name.isprintable()):
        raise InputError(
            "CRN-L-030",
            Text(f"{shown(name)} cannot name a witness.", f"{shown(name)} 不能作为见证者名称。"),
            Text(
                "Use a name like witness.example/w1, without space and plus.",
                "请使用形如 witness.example/w1 的名称，不含空格和加号。",
            ),
        )
    state.mkdir(parents=True, exist_ok=True)
    make_private_folder(state)
    seed = os.urandom(SEED_SIZE)
    signer = Ed25519Signer(seed)
    check_public_key(signer.public_key)
    seal_file(state / KEY_FILE, secret, seed, role=ENVELOPE_ROLE)
    key = VerifierKey(name, COSIGNATURE_V1, signer.public_key)
    write_atomic(state / VERIFIER_KEY_FILE, f"{key.to_text()}\n".encode())
    return key


def _open_witness(
    state: Path, key_path: Path | None, secret: Secret
) -> tuple[VerifierKey, Ed25519Signer]:
    path = state / VERIFIER_KEY_FILE
    try:
        key = parse_verifier_key(path.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeError, VerificationError) as error:
        raise InputError(
            "CRN-L-031",
            Text(f"There is no witness in {state}.", f"{state} 中没有见证者。"),
            Text("Make one with `carnet witness new`.", "请用 `carnet witness new` 创建。"),
        ) from error
    seed = open_file(key_path or state / KEY_FILE, secret, role=ENVELOPE_ROLE)
    if len(seed) != SEED_SIZE or Ed25519Signer(seed).public_key != key.public_key:
        raise InputError(
            "CRN-L-032",
            Text(f"The key is not the one that {path} names.", f"该密钥不是 {path} 所指的密钥。"),
            Text("Restore the file from a backup.", "请从备份恢复该文件。"),
        )
    return key, Ed25519Signer(seed)


def log_key(text: str) -> VerifierKey:
    """Return the key of a log that a witness is told to watch.

    Raises:
        InputError: It is not the verifier key of a log.
    """
    return _key(text, ED25519)


def witness_key(text: str) -> VerifierKey:
    """Return the key of a witness.

    Raises:
        InputError: It is not the verifier key of a witness.
    """
    return _key(text, COSIGNATURE_V1)


def _key(text: str, signature_type: int) -> VerifierKey:
    try:
        key = parse_verifier_key(text)
    except VerificationError as error:
        raise InputError("CRN-L-033", error.message, error.hint) from error
    if key.signature_type != signature_type:
        kind = Text("a log", "日志") if signature_type == ED25519 else Text("a witness", "见证者")
        raise InputError(
            "CRN-L-033",
            Text(
                f"{shown(text)} is not the key of {kind.en}.",
                f"{shown(text)} 不是{kind.zh}的密钥。",
            ),
            Text(
                "`carnet key export log` and `carnet witness new` print the two kinds.",
                "两类密钥分别由 `carnet key export log` 和 `carnet witness new` 输出。",
            ),
        )
    return key


def sign_as_witness(
    note: str,
    logs: Sequence[VerifierKey],
    proofs: Sequence[ConsistencyProof],
    *,
    state: Path,
    secret: Secret,
    clock: Clock,
    key_path: Path | None = None,
) -> NoteSignature:
    """Return a witness's cosignature of a checkpoint that continues the last one it signed.

    Args:
        note: The checkpoint, as the log published it.
        logs: The keys of the logs that the witness watches.
        proofs: Consistency proofs from the last size to this one.
        state: The folder of the witness.
        secret: What opens its key.
        clock: Gives the time of the cosignature.
        key_path: The encrypted key, where it is not in the folder.

    Raises:
        InputError: The folder holds no witness, or its key cannot be opened.
        VerificationError: The checkpoint is not by a watched log, is a fork or a rollback, or
            nothing shows that it continues the last one.
        ConflictError: Another process signed for that log at this moment.
    """
    key, signer = _open_witness(state, key_path, secret)
    signed = parse_checkpoint(note)
    _check_log(signed, logs)
    store = SeenStore(state / LOGS_FOLDER, logs)
    before = store.read(signed.checkpoint.origin)
    if before is not None:
        _check_continues(before, signed, proofs)
    if not store.advance(before, signed):
        raise ConflictError(
            "CRN-L-034",
            Text(
                "Another process signed a checkpoint of this log at this moment.",
                "另一进程刚刚为该日志签署了检查点。",
            ),
            Text("Run the command again.", "请重新运行该命令。"),
        )
    signature = cosign(signed.checkpoint, key.name, signer, clock.now())
    verify_cosignature(with_signatures(signed, (signature,)), key)
    return signature


def _check_log(signed: SignedCheckpoint, logs: Sequence[VerifierKey]) -> None:
    origin = signed.checkpoint.origin
    keys = [key for key in logs if key.name == origin]
    if not keys:
        raise VerificationError(
            "CRN-V-045",
            Text(f"The witness does not watch the log {origin}.", f"见证者未关注日志 {origin}。"),
            Text("Name its key with --log.", "请用 --log 指定其密钥。"),
        )
    for key in [key for key in keys if signed.note.signatures_of(key)] or keys:
        verify_checkpoint(signed, key)


def _check_continues(
    before: SignedCheckpoint, signed: SignedCheckpoint, proofs: Sequence[ConsistencyProof]
) -> None:
    old, new = before.checkpoint, signed.checkpoint
    if new.size < old.size:
        raise VerificationError(
            "CRN-V-046",
            Text(
                f"Rollback: this witness signed size {old.size} of {old.origin}, the checkpoint "
                f"is of size {new.size}.",
                f"回滚：本见证者已为 {old.origin} 签署大小 {old.size}，而该检查点大小为 "
                f"{new.size}。",
            ),
            Text("Give it the newest checkpoint of the log.", "请提供日志的最新检查点。"),
        )
    try:
        prove_prefix(old, new, proofs)
    except UnprovenError as error:
        raise VerificationError(
            "CRN-V-047",
            Text(
                f"Nothing shows that size {new.size} continues size {old.size}, which this "
                "witness signed last.",
                f"无法表明大小 {new.size} 承接本见证者上次签署的大小 {old.size}。",
            ),
            Text(
                f"Give the output of `carnet log consistency {old.size} {new.size}` with --proof.",
                f"请用 --proof 提供 `carnet log consistency {old.size} {new.size}` 的输出。",
            ),
        ) from error
