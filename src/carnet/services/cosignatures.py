"""Cosignatures that independent witnesses gave the log's checkpoints after they were published.

Rows of checkpoints are never changed, so these lie beside the published checkpoint, one file for
each size and witness, and are joined to the note where it is shown or bundled. Nothing is believed
of them: each is verified when it is taken up and whenever it is read.
"""

from collections.abc import Sequence
from typing import Final

from carnet.core.canonical import canonical, parse_canonical
from carnet.core.digests import sha256
from carnet.core.errors import InputError, RecordFormatError, VerificationError
from carnet.core.files import write_atomic
from carnet.core.text import Text
from carnet.ledger import shape
from carnet.ledger.checkpoint import SignedCheckpoint, verify_cosignature, with_signatures
from carnet.ledger.note import (
    NOTE_SIZE_MAX,
    NoteSignature,
    VerifierKey,
    parse_signature_lines,
    parse_verifier_key,
)
from carnet.ledger.reader import state_unknown
from carnet.services.workspace import Workspace

FOLDER: Final = "log/cosignatures"
COSIGNATURES_MAX: Final = 16
"""Witnesses of one checkpoint: with those of the log itself they fit a note."""

_FILE = shape.obj(
    {
        "witness": shape.text(r"[!-~]+", 400, "a verifier key", "验证密钥"),
        "line": shape.text(r"[\s\S]+", NOTE_SIZE_MAX, "a signature line", "签名行"),
    }
)


def collect_cosignatures(
    workspace: Workspace,
    signed: SignedCheckpoint,
    witnesses: Sequence[VerifierKey],
    lines: Sequence[str],
) -> SignedCheckpoint:
    """Keep the cosignatures of a checkpoint, and return it with all that are kept.

    Args:
        workspace: The workspace.
        signed: A checkpoint of its log.
        witnesses: Whose cosignatures they are.
        lines: Texts of signature lines, each as a witness gave it.

    Raises:
        InputError: A text is not signature lines, a line is by nobody named, or there are too many.
        VerificationError: A cosignature does not verify.
    """
    found = {}
    for text in lines:
        for signature in _parse(text):
            key = next(
                (k for k in witnesses if (k.name, k.key_id) == (signature.name, signature.key_id)),
                None,
            )
            if key is None:
                raise _unnamed(signature.name)
            verify_cosignature(with_signatures(signed, (signature,)), key)
            found[key] = signature
    folder = workspace.path / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for key, signature in found.items():
        content = canonical({"witness": key.to_text(), "line": signature.to_line()})
        name = f"{signed.checkpoint.size}-{sha256(key.to_text().encode()).hex()[:16]}.json"
        write_atomic(folder / name, content)
    return cosigned(workspace, signed)[0]


def _parse(text: str) -> list[NoteSignature]:
    try:
        return parse_signature_lines(text)
    except VerificationError as error:
        raise InputError(
            "CRN-L-035",
            Text(
                f"The cosignature cannot be used: {error.message.en}",
                f"无法使用该联署：{error.message.zh}",
            ),
            Text(
                "Give the output of `carnet witness sign` as it is.",
                "请原样提供 `carnet witness sign` 的输出。",
            ),
        ) from error


def _unnamed(name: str) -> InputError:
    return InputError(
        "CRN-L-036",
        Text(
            f"The cosignature by {shape.shown(name)} is by no witness that was named.",
            f"{shape.shown(name)} 的联署不属于任何已指定的见证者。",
        ),
        Text("Name its key with --witness.", "请用 --witness 指定其密钥。"),
    )


def cosigned(
    workspace: Workspace, signed: SignedCheckpoint
) -> tuple[SignedCheckpoint, list[VerifierKey]]:
    """Return a checkpoint with the cosignatures that are kept of it, and whose they are.

    Raises:
        LedgerFatalError: A kept cosignature is not one of that checkpoint.
    """
    keys: list[VerifierKey] = []
    files = sorted((workspace.path / FOLDER).glob(f"{signed.checkpoint.size}-*.json"))
    for path in files[:COSIGNATURES_MAX]:
        try:
            value = parse_canonical(path.read_bytes())
            _FILE(value, "")
            key = parse_verifier_key(value["witness"])
            (signature,) = parse_signature_lines(value["line"])
            joined = with_signatures(signed, (signature,))
            if not signed.note.signatures_of(key):
                verify_cosignature(joined, key)
                signed = joined
        except (VerificationError, RecordFormatError, ValueError) as error:
            raise state_unknown(
                "CRN-L-037",
                f"The kept cosignature {path} is not one of its checkpoint.",
                f"保存的联署 {path} 不属于其检查点。",
            ) from error
        keys.append(key)
    return signed, keys
