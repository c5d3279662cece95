"""Evidence files: the documents themselves, each stored under the SHA-256 of its content.

A file is never parsed and never changed; that it was attached stays in the database, so that one
which is missing or altered is noticed. The certificate says which file it is: a fact whose version
names the digest.

A process killed at any point leaves at most a file that nothing names yet; the same command again
completes it.

Source: docs/adr/0021-credentials-and-evidence.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from sqlalchemy import Connection, insert, select

from carnet.core.clock import Clock
from carnet.core.crash import crash_point
from carnet.core.digests import sha256
from carnet.core.errors import InputError, NotFoundError, VerificationError
from carnet.core.files import make_private_folder, read_small, write_atomic
from carnet.core.text import Text
from carnet.facts.fact import Fact, Source, make_fact
from carnet.facts.intake import IntakeLimits
from carnet.facts.intake.opening import (
    FileRefusedError,
    display_name,
    open_regular,
    read_bounded,
)
from carnet.services.workspace import Workspace
from carnet.store import facts as stored
from carnet.store.engine import reading, writing
from carnet.store.locks import Lock
from carnet.store.tables import EVIDENCE_FILE

EVIDENCE_FOLDER: Final = "evidence"
PRIVATE: Final = 0o600
CERTIFICATE: Final = "certificate"
FIELD: Final = "evidence_sha256"
_PREFIX_DIGITS: Final = 2

State = Literal["intact", "missing", "altered"]


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """A file that was attached.

    Args:
        digest: The SHA-256 of its content.
        size: Its bytes.
        name: What it was called.
    """

    digest: bytes
    size: int
    name: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of an attached file.

    Args:
        file: The file.
        state: Whether it is there, as it was.
        certificates: The certificates whose present version names it.
    """

    file: EvidenceFile
    state: State
    certificates: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "sha256": self.file.digest.hex(),
            "size": self.file.size,
            "name": self.file.name,
            "state": self.state,
            "certificates": list(self.certificates),
        }


@dataclass(frozen=True, slots=True)
class Attached:
    """What attaching a file did.

    Args:
        certificate: The certificate.
        digest: The SHA-256 of the file.
        size: Its bytes.
        is_stored: Whether the content is new in the workspace, or was put back.
        version: The version of the fact that names it.
        is_new_version: Whether that version was made now.
    """

    certificate: str
    digest: bytes
    size: int
    is_stored: bool
    version: int
    is_new_version: bool

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "certificate": self.certificate,
            "sha256": self.digest.hex(),
            "size": self.size,
            "is_stored": self.is_stored,
            "version": self.version,
            "is_new_version": self.is_new_version,
        }


def path_of(workspace: Workspace, digest: bytes) -> Path:
    """Return where the content of a digest lies, whether it is there or not."""
    name = digest.hex()
    return workspace.path / EVIDENCE_FOLDER / name[:_PREFIX_DIGITS] / name


def attach(
    workspace: Workspace,
    certificate_id: str,
    path: Path,
    clock: Clock,
    *,
    is_replacing: bool = False,
) -> Attached:
    """Store a file as the evidence of a certificate.

    Where the certificate names this digest already, as one of an imported credential does, no
    version is made. Attaching a file again puts back content that is missing or altered.

    Args:
        workspace: The workspace.
        certificate_id: The certificate.
        path: The file.
        clock: Tells the time.
        is_replacing: Whether a certificate that names another file gets a new version.

    Raises:
        NotFoundError: There is no such certificate.
        InputError: The file cannot be read, is empty or too large, or is another one than the
            certificate names.
        ConflictError: Another import did not finish in time.
    """
    data = _read(workspace, path)
    digest = sha256(data)
    with reading(workspace.engine) as connection:
        fact = _certificate(connection, certificate_id)
    _check_named(fact, digest, is_replacing=is_replacing)
    is_stored = _store(workspace, digest, data)
    crash_point("evidence.after-file")
    name = display_name(path.name)
    with writing(workspace.engine, Lock.IMPORT) as connection:
        _note(connection, EvidenceFile(digest, len(data), name), clock)
        fact = _certificate(connection, certificate_id)
        _check_named(fact, digest, is_replacing=is_replacing)
        version, is_new = _name_in_fact(connection, fact, digest, name, clock)
        crash_point("evidence.before-commit")
    return Attached(certificate_id, digest, len(data), is_stored, version, is_new)


def _certificate(connection: Connection, certificate_id: str) -> Fact:
    fact = stored.find_fact(connection, CERTIFICATE, certificate_id)
    if fact is None:
        raise NotFoundError(
            "CRN-F-070",
            Text(f"There is no certificate {certificate_id}.", f"没有证书 {certificate_id}。"),
            Text(
                "Import it first; `carnet certificates list` shows those that there are.",
                "请先导入；`carnet certificates list` 列出已有的证书。",
            ),
        )
    return fact


def _read(workspace: Workspace, path: Path) -> bytes:
    limits = IntakeLimits(file_size_max=workspace.settings.evidence_file_size_max)
    try:
        with open_regular(path, limits) as stream:
            return read_bounded(stream, limits)
    except FileRefusedError as refusal:
        found, expected = refusal.problem.found, refusal.problem.expected
        en, zh = (found.en, found.zh) if isinstance(found, Text) else (found, found)
        name = display_name(str(path))
        raise InputError(
            "CRN-F-071",
            Text(
                f"{name} cannot be attached: found {en}; expected {expected.en}.",
                f"无法附上 {name}：实际为 {zh}；应为：{expected.zh}。",
            ),
            refusal.problem.remedy,
        ) from None


def _check_named(fact: Fact, digest: bytes, *, is_replacing: bool) -> None:
    named = fact.fields.get(FIELD)
    if named in {None, digest.hex()} or is_replacing:
        return
    raise InputError(
        "CRN-F-072",
        Text(
            f"The certificate {fact.id} names another file: its SHA-256 is {named}, that of this "
            f"file {digest.hex()}.",
            f"证书 {fact.id} 指明的是另一文件：其 SHA-256 为 {named}，本文件为 {digest.hex()}。",
        ),
        Text(
            "Attach the file that the certificate names, or make a new version of the fact with "
            "--replace.",
            "请附上证书指明的文件，或用 --replace 追加事实的新版本。",
        ),
    )


def _store(workspace: Workspace, digest: bytes, data: bytes) -> bool:
    """Write the content to its place unless it is there; return whether it was written."""
    path = path_of(workspace, digest)
    if _state(path, EvidenceFile(digest, len(data), "")) == "intact":
        return False
    make_private_folder(path.parent.parent)
    make_private_folder(path.parent)
    # What lies there under this name and is not this content is no evidence of anything.
    write_atomic(path, data, mode=PRIVATE)
    return True


def _note(connection: Connection, file: EvidenceFile, clock: Clock) -> None:
    if _attached(connection, file.digest) is None:
        row = {
            "sha256": file.digest,
            "size": file.size,
            "name": file.name,
            "attached_at": clock.now(),
        }
        connection.execute(insert(EVIDENCE_FILE), row)


def _name_in_fact(
    connection: Connection, fact: Fact, digest: bytes, name: str, clock: Clock
) -> tuple[int, bool]:
    """Make the version of a fact that names a digest; return its number and whether it is new."""
    present = stored.existing(connection, CERTIFICATE, [fact.id])[fact.id]
    if fact.fields.get(FIELD) == digest.hex():
        return present.version, False
    changed = make_fact(CERTIFICATE, {"id": fact.id, **fact.fields, FIELD: digest.hex()})
    version = stored.version_of(changed, Source(name), version=present.version + 1)
    import_id = stored.insert_import(
        connection,
        at=clock.now(),
        facts_new=0,
        facts_replaced=1,
        facts_known=0,
        files=[{"facts": 1, "file": name}],
    )
    stored.insert_facts(connection, import_id, [version])
    return version.version, True


# --- what became of it ------------------------------------------------------------------------


def _state(path: Path, file: EvidenceFile) -> State:
    try:
        data = read_small(path, file.size)
    except OSError:
        return "missing"
    return "intact" if sha256(data) == file.digest else "altered"


_COLUMNS: Final = (EVIDENCE_FILE.c.sha256, EVIDENCE_FILE.c.size, EVIDENCE_FILE.c.name)


def attached_files(connection: Connection) -> Iterator[EvidenceFile]:
    """Yield every file that was attached, sorted by digest."""
    for row in connection.execute(select(*_COLUMNS).order_by(EVIDENCE_FILE.c.sha256)):
        yield EvidenceFile(bytes(row.sha256), row.size, row.name)


def _attached(connection: Connection, digest: bytes) -> EvidenceFile | None:
    query = select(*_COLUMNS).where(EVIDENCE_FILE.c.sha256 == digest)
    row = connection.execute(query).one_or_none()
    return None if row is None else EvidenceFile(bytes(row.sha256), row.size, row.name)


def count_states(workspace: Workspace, connection: Connection) -> dict[str, int]:
    """Return how many files were attached, and how many are missing or of another size.

    Contents are not read: `check_files` does that.
    """
    counts = {"attached": 0, "missing": 0, "altered": 0}
    for file in attached_files(connection):
        counts["attached"] += 1
        try:
            size = path_of(workspace, file.digest).stat().st_size
        except OSError:
            counts["missing"] += 1
            continue
        counts["altered"] += size != file.size
    return counts


def check_files(workspace: Workspace) -> list[Checked]:
    """Compare every file that was attached with its digest."""
    named: dict[str, list[str]] = {}
    with reading(workspace.engine) as connection:
        files = list(attached_files(connection))
        for fact in stored.current_facts(connection, [CERTIFICATE]):
            if FIELD in fact.fields:
                named.setdefault(str(fact.fields[FIELD]), []).append(fact.id)
    return [
        Checked(
            file,
            _state(path_of(workspace, file.digest), file),
            tuple(named.get(file.digest.hex(), ())),
        )
        for file in files
    ]


def find_evidence(workspace: Workspace, certificate_id: str) -> EvidenceFile:
    """Return the file that a certificate names and that was attached.

    Raises:
        NotFoundError: There is no such certificate, it names no file, or none was attached.
    """
    with reading(workspace.engine) as connection:
        named = _certificate(connection, certificate_id).fields.get(FIELD)
        file = None if named is None else _attached(connection, bytes.fromhex(str(named)))
    if file is not None:
        return file
    told = "" if named is None else f" {named}"
    raise NotFoundError(
        "CRN-F-073",
        Text(
            f"No file{told} was attached to the certificate {certificate_id}.",
            f"证书 {certificate_id} 未附上文件{told}。",
        ),
        Text(
            f"Attach it: `carnet certificates attach {certificate_id} FILE`.",
            f"请附上：`carnet certificates attach {certificate_id} 文件`。",
        ),
    )


def check_evidence(workspace: Workspace, certificate_id: str) -> Checked:
    """Compare the file of a certificate with its digest.

    Raises:
        NotFoundError: There is no such certificate, it names no file, or none was attached.
    """
    file = find_evidence(workspace, certificate_id)
    return Checked(file, _state(path_of(workspace, file.digest), file), (certificate_id,))


def read_evidence(workspace: Workspace, file: EvidenceFile) -> bytes:
    """Return the content of a file, compared with its digest.

    Raises:
        VerificationError: It is missing or altered.
    """
    path = path_of(workspace, file.digest)
    try:
        data = read_small(path, file.size)
    except OSError:
        data = b""
    if sha256(data) != file.digest:
        raise VerificationError(
            "CRN-F-074",
            Text(
                f"The evidence file {path} is missing or altered.",
                f"证据文件 {path} 缺失或已被改动。",
            ),
            Text(
                "Take it from a backup, or attach the document again.",
                "请从备份恢复，或重新附上该文件。",
            ),
        )
    return data
