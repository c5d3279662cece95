// Records, log entries and disclosures: their closed shapes and what follows from them.
// Source: docs/spec/record-and-log.md, sections 1 to 3; RFC 9901, sections 4.2 and 7.1.

const CONTEXT = ["https://www.w3.org/ns/credentials/v2", "https://carnet.example/ns/v1"];
const ATTESTATION_TYPE = "CarnetListingAttestation";
const KEY_EVENT_TYPE = "CarnetKeyEvent";
const KEY_EVENT = "key-event";
const LISTING_URN = "urn:carnet:listing:";
const ATTESTATION_PREFIX = "attestation:listing:";
const CONFORMITIES = ["conforming", "nonconforming", "undetermined"];
const KINDS = [...CONFORMITIES.map((name) => ATTESTATION_PREFIX + name), KEY_EVENT];
const KEY_ROLES = ["issuer", "log", "officer", "witness"];
const REVOCATION_REASONS = ["compromised", "lost", "retired"];
/** The members that each event of a key has besides those of all. */
const KEY_EVENT_MEMBERS = new Map([
  ["add", []],
  ["rotate", ["previousMultibase"]],
  ["revoke", ["reason"]],
]);
const SEVERITIES = ["blocking", "info", "major", "minor"];
const DECISIVE = ["blocking", "major"];
const FINDINGS_MAX = 500;
const MEASURES_MAX = 200;
const DAY_NUMBER_MAX = 2 ** 32 - 1;
const DISCLOSURE_SIZE_MAX = 16 * 1024;
const DISCLOSURES_MAX = 200;
const RESERVED = ["_sd", "...", "id", "salt"];

const issuerShape = whereShape(isIssuerId, "a did:key or a did:web", " did:key 或 did:web");
const multibaseShape = textShape(
  "z[1-9A-HJ-NP-Za-km-z]{1,127}", 128, "base58 multibase", " base58 多重编码",
);
const saltShape = textShape("[0-9a-f]{32}", 32, "32 lower-case hex digits", " 32 位小写十六进制数字");
const nameShape = textShape("[A-Za-z0-9._:/-]{1,200}", 200, "a name", "名称");
const urnShape = textShape(
  "urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", 45, "urn:uuid:...", " urn:uuid:...",
);
const methodShape = textShape("did:[!-~]{1,400}", 404, "a verification method", "验证方法");
const countedShape = tableShape("[A-Za-z0-9._-]{1,64}", integerShape(), MEASURES_MAX);

const ENTRY_SHAPE = objectShape({
  v: exactly(1),
  kind: oneOf(KINDS),
  recordHash: digestShape,
  issuer: issuerShape,
  statusRef: nullable(
    textShape("[ !#-\\[\\]-~]{1,200}", 200, "printable ASCII", "可打印的 ASCII"),
  ),
  supersedes: nullable(digestShape),
  subject: nullable(digestShape),
  validFrom: nullable(integerShape(0, DAY_NUMBER_MAX)),
  validUntil: nullable(integerShape(0, DAY_NUMBER_MAX)),
});

const PROOF_SHAPE = objectShape({
  type: exactly(PROOF_TYPE),
  cryptosuite: exactly(CRYPTOSUITE),
  created: instantShape,
  verificationMethod: methodShape,
  proofPurpose: exactly("assertionMethod"),
  "@context": exactly(CONTEXT),
  proofValue: multibaseShape,
});

/** The fields of an attestation that may be withheld. */
const ATTESTATION_FIELDS = {
  listing: identifierShape,
  seller: identifierShape,
  measures: countedShape,
  outputs: countedShape,
};
const ATTESTATION_REQUIRED = {
  id: textShape(`${LISTING_URN}[0-9a-f]{64}`, 83, `${LISTING_URN}hash`, "上架商品的哈希"),
  pack: objectShape({ id: nameShape, version: nameShape, digest: digestShape }),
  asOf: dayShape,
  conformity: oneOf(CONFORMITIES),
  officerConfirmed: arrayShape(nameShape, MEASURES_MAX, true),
  findings: arrayShape(objectShape({ rule: nameShape, severity: oneOf(SEVERITIES) }), FINDINGS_MAX),
  decisionDigest: digestShape,
  salt: saltShape,
};
const sdShape = arrayShape(textShape("[A-Za-z0-9_-]{43}", 43, "a digest", "摘要"), MEASURES_MAX, true);

const SUBJECT_SHAPES = new Map([
  [ATTESTATION_TYPE, objectShape(ATTESTATION_REQUIRED, { ...ATTESTATION_FIELDS, _sd: sdShape })],
  [
    KEY_EVENT_TYPE,
    objectShape(
      {
        id: issuerShape,
        event: oneOf([...KEY_EVENT_MEMBERS.keys()]),
        role: oneOf(KEY_ROLES),
        name: nameShape,
        publicKeyMultibase: multibaseShape,
        salt: saltShape,
      },
      { previousMultibase: multibaseShape, reason: oneOf(REVOCATION_REASONS) },
    ),
  ],
]);

const recordShape = (type, subject) =>
  objectShape(
    {
      "@context": exactly(CONTEXT),
      id: urnShape,
      type: exactly(["VerifiableCredential", type]),
      issuer: issuerShape,
      validFrom: instantShape,
      credentialSubject: subject,
      proof: PROOF_SHAPE,
    },
    { validUntil: instantShape, supersedes: digestShape },
  );
const RECORD_SHAPES = new Map(
  [...SUBJECT_SHAPES].map(([type, subject]) => [type, recordShape(type, subject)]),
);

/** Return the second type of a document, which says its kind of record. */
function typeOf(document) {
  const found = document instanceof Map ? document.get("type") ?? null : null;
  const name = Array.isArray(found) && found.length === 2 ? found[1] : null;
  if (typeof name !== "string" || !RECORD_SHAPES.has(name)) {
    const listed = [...RECORD_SHAPES.keys()].join(" | ");
    throw shapeError("record.type", found, listed, ` ${listed}`);
  }
  return name;
}

/** Check that a document has the closed shape of its kind. */
function checkRecordShape(document) {
  const type = typeOf(document);
  RECORD_SHAPES.get(type)(document, "record");
  const [start, until] = [document.get("validFrom"), document.get("validUntil")];
  if (until !== undefined && until < start) {
    throw shapeError("record.validUntil", until, "validFrom or later", "不早于 validFrom");
  }
  if (type === ATTESTATION_TYPE) checkAttestation(document);
  if (type === KEY_EVENT_TYPE) checkKeyEvent(document.get("credentialSubject"));
}

/** Check that a key event has the members of its kind and no other's. */
function checkKeyEvent(subject) {
  const event = subject.get("event");
  const expected = KEY_EVENT_MEMBERS.get(event);
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

/** Return a record: the document, its canonical bytes, and what follows from them. */
function recordOf(document) {
  const subject = document.get("credentialSubject");
  const isKeyEvent = typeOf(document) === KEY_EVENT_TYPE;
  return {
    document,
    subject,
    body: canonical(document),
    issuer: document.get("issuer"),
    kind: isKeyEvent ? KEY_EVENT : ATTESTATION_PREFIX + subject.get("conformity"),
  };
}

/** Return the log entry of a record as a JSON object: it follows from the record alone. */
function entryOf(record) {
  const { document, subject } = record;
  const urn = subject.get("id");
  const until = document.get("validUntil");
  return new Map([
    ["v", 1],
    ["kind", record.kind],
    ["recordHash", toHex(sha256(record.body))],
    ["issuer", record.issuer],
    ["statusRef", null],
    ["supersedes", document.get("supersedes") ?? null],
    ["subject", urn.startsWith(LISTING_URN) ? urn.slice(LISTING_URN.length) : null],
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

/** Return the hash under which a log entry names a listing. Source: src/carnet/core/subjects.py. */
const listingHash = (listing, seller) =>
  toHex(sha256(canonical(new Map([["listing", listing], ["seller", seller]]))));

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

/** Check revealed fields: their shapes, and that listing and seller are those of the subject. */
function checkDisclosed(fields) {
  const known = [...Object.keys(ATTESTATION_REQUIRED), ...Object.keys(ATTESTATION_FIELDS)];
  for (const [name, value] of fields) {
    if (Object.hasOwn(ATTESTATION_FIELDS, name)) ATTESTATION_FIELDS[name](value, name);
  }
  const unknown = [...fields.keys()].filter((name) => !known.includes(name)).sort();
  if (unknown.length) {
    throw shapeError("disclosures", unknown, "fields that can be withheld", "可隐藏的字段");
  }
  if (fields.has("listing") && fields.has("seller")) {
    const expected = LISTING_URN + listingHash(fields.get("listing"), fields.get("seller"));
    if (fields.get("id") !== expected) {
      throw shapeError("credentialSubject.id", fields.get("id"), expected, ` ${expected}`);
    }
  }
}
