// Records, log entries and disclosures: their closed shapes and what follows from them.
// Source: docs/spec/record-and-log.md, sections 1 to 3; RFC 9901, sections 4.2 and 7.1.

const KEY_EVENT = "key-event";
const STATUS_LIST = "status-list";
const DECISIVE = ["blocking", "major"];
const DISCLOSURE_SIZE_MAX = 16 * 1024;
const RESERVED = ["_sd", "...", "id", "salt"];

const ENTRY_SHAPE = shapeOf(DESCRIPTION.entry);

function kindOf(kind) {
  const { credentialStatus, envelope, envelopeOptional } = DESCRIPTION;
  const [members, others] = [shapesOf(kind.members), shapesOf(kind.others)];
  return {
    ...kind,
    others,
    known: [...Object.keys(members), ...Object.keys(others)],
    shape: objectShape(
      {
        ...shapesOf(envelope),
        type: exactly(["VerifiableCredential", kind.type]),
        credentialSubject: objectShape(members, others),
      },
      {
        ...shapesOf(envelopeOptional),
        ...(kind.hasStatus ? { credentialStatus: shapeOf(credentialStatus) } : {}),
      },
    ),
    checks: kind.checks.map((name) => known(CROSS_CHECKS, name)),
  };
}

/** Return the second type of a document, which says its kind of record. */
function typeOf(document) {
  const found = document instanceof Map ? document.get("type") ?? null : null;
  const name = Array.isArray(found) && found.length === 2 ? found[1] : null;
  if (typeof name !== "string" || !KINDS.has(name)) {
    const listed = [...KINDS.keys()].join(" | ");
    throw shapeError("record.type", found, listed, ` ${listed}`);
  }
  return name;
}

/** Check that a document has the closed shape of its kind. */
function checkRecordShape(document) {
  const kind = KINDS.get(typeOf(document));
  kind.shape(document, "record");
  const [start, until] = [document.get("validFrom"), document.get("validUntil")];
  if (until !== undefined && until < start) {
    throw shapeError("record.validUntil", until, "validFrom or later", "不早于 validFrom");
  }
  if (document.has("credentialStatus")) checkStatusEntry(document.get("credentialStatus"));
  for (const check of kind.checks) check(document);
}

/** Check that a record names one entry of a list, and the same in both ways. */
function checkStatusEntry(status) {
  const most = DESCRIPTION.statusEntries;
  const index = Number(status.get("statusListIndex"));
  if (index >= most) {
    throw shapeError("credentialStatus.statusListIndex", index, `below ${most}`, `小于 ${most}`);
  }
  const expected = `${status.get("statusListCredential")}#${index}`;
  if (status.get("id") !== expected) {
    throw shapeError("credentialStatus.id", status.get("id"), expected, ` ${expected}`);
  }
}

/** Check that a period does not end before it begins. */
function checkPeriod(document) {
  const subject = document.get("credentialSubject");
  const end = subject.get("periodEnd");
  if (end < subject.get("periodStart")) {
    const zh = "不早于 periodStart";
    throw shapeError("credentialSubject.periodEnd", end, "periodStart or later", zh);
  }
}

/** Check that a key event has the members of its kind and no other's. */
function checkKeyEvent(document) {
  const subject = document.get("credentialSubject");
  const event = subject.get("event");
  const expected = DESCRIPTION.keyEvents[event];
  const found = ["previousMultibase", "reason"].filter((name) => subject.has(name));
  if (found.join() === expected.join()) return;
  const listed = expected.join(", ") || "none";
  throw shapeError(
    "credentialSubject",
    found,
    `with the event ${event} of these: ${listed}`,
    `事件 ${event} 仅含：${listed}`,
  );
}

/** Check what the members of an attestation say of one another. */
function checkAttestation(document) {
  const subject = document.get("credentialSubject");
  const [asOf, start] = [subject.get("asOf"), dayOf(document.get("validFrom"))];
  if (asOf !== start) throw shapeError("credentialSubject.asOf", asOf, start, ` ${start}`);
  const decisive = subject.get("findings").filter((each) => DECISIVE.includes(each.get("severity")));
  if (decisive.length && subject.get("conformity") === "conforming") {
    throw shapeError(
      "credentialSubject.findings",
      decisive,
      "none that is blocking or major where the listing conforms",
      "合规时不得有阻断或重大发现项",
    );
  }
}

/** What must hold between members, by the names that kinds give. */
const CROSS_CHECKS = {
  attestation: checkAttestation,
  "key-event": checkKeyEvent,
  period: checkPeriod,
};

/** Each kind of record by the second type of its credentials. */
const KINDS = new Map(DESCRIPTION.kinds.map((kind) => [kind.type, kindOf(kind)]));

/** Return a record: the document, its canonical bytes, and what follows from them. */
function recordOf(document) {
  const subject = document.get("credentialSubject");
  const type = KINDS.get(typeOf(document));
  const variant = type.variants && subject.get(type.variants[0]);
  return {
    document,
    subject,
    type,
    body: canonical(document),
    issuer: document.get("issuer"),
    kind: type.variants ? `${type.name}:${variant}` : type.name,
    statusRef: document.get("credentialStatus")?.get("id") ?? null,
  };
}

/** Return the log entry of a record as a JSON object: it follows from the record alone. */
function entryOf(record) {
  const { document, subject, type } = record;
  const until = document.get("validUntil");
  return new Map([
    ["v", 1],
    ["kind", record.kind],
    ["recordHash", toHex(sha256(record.body))],
    ["issuer", record.issuer],
    ["statusRef", record.statusRef],
    ["supersedes", document.get("supersedes") ?? null],
    ["subject", type.urn === null ? null : subject.get("id").slice(type.urn.length)],
    ["validFrom", dayNumber(dayOf(document.get("validFrom")))],
    ["validUntil", until === undefined ? null : dayNumber(dayOf(until))],
  ]);
}

/** Return the public key that the proof of a record names. */
function signingKey(record) {
  const method = record.document.get("proof").get("verificationMethod");
  const { issuer, publicKey } = splitVerificationMethod(method);
  if (issuer !== record.issuer) {
    throw new Refused(
      `The proof is by a key of ${shown(issuer)}, not of the issuer.`,
      `证明由 ${shown(issuer)} 的密钥作出，而不是签发方的密钥。`,
    );
  }
  return publicKey;
}

const disclosureError = (en, zh) =>
  new Refused(`A disclosure is not valid: ${en}.`, `披露项无效：${zh}。`);

/** Return the digest of a disclosure's text. Source: RFC 9901, section 4.2.3. */
const disclosureDigest = (text) => toBase64Url(sha256(utf8(text)));

function parseDisclosure(text) {
  if (codePoints(text).length > DISCLOSURE_SIZE_MAX) throw disclosureError("it is too long", "过长");
  const array = reading(() => parseCanonical(fromBase64Url(text)), disclosureError("it is not canonical", "不是规范写法"));
  const isArray = Array.isArray(array) && array.length === 3;
  if (!isArray || typeof array[0] !== "string" || typeof array[1] !== "string") {
    throw disclosureError("it is not salt, name and value", "不是盐、名称和值");
  }
  if (RESERVED.includes(array[1])) {
    throw disclosureError("it names a reserved field", "名称为保留字段");
  }
  return { name: array[1], value: array[2] };
}

/** Return the fields of a subject with the revealed ones in their places. */
function reveal(subject, texts) {
  const digests = new Set(subject.get("_sd") ?? []);
  const result = without(subject, "_sd");
  for (const text of texts) {
    const { name, value } = parseDisclosure(text);
    if (!digests.has(disclosureDigest(text))) {
      throw disclosureError("the record does not contain it", "记录中没有该披露项");
    }
    if (result.has(name)) throw disclosureError("its field is there already", "该字段已存在");
    result.set(name, value);
  }
  return result;
}

/** Return the id that a subject must have, null where a member that tells it is not there. */
function idOf({ urn, namedBy }, fields) {
  if (urn === null || !namedBy.length || !namedBy.every((name) => fields.has(name))) return null;
  const named = new Map(namedBy.map((name) => [name, fields.get(name)]));
  return urn + toHex(sha256(canonical(named)));
}

/** Check revealed members: their shapes, and that the subject is the one they name. */
function checkDisclosed(kind, fields) {
  for (const [name, value] of fields) {
    if (kind.withheld.includes(name)) kind.others[name](value, name);
  }
  const unknown = [...fields.keys()].filter((name) => !kind.known.includes(name)).sort();
  if (unknown.length) {
    throw shapeError("disclosures", unknown, "fields that can be withheld", "可隐藏的字段");
  }
  const expected = idOf(kind, fields);
  if (expected !== null && fields.get("id") !== expected) {
    throw shapeError("credentialSubject.id", fields.get("id"), expected, ` ${expected}`);
  }
}
