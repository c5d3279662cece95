// Which keys are in force at a position of the log: the replay of its key events.
// Source: src/carnet/ledger/keystate.py; docs/spec/record-and-log.md, RL-1.8 and RL-2.4 to RL-2.6.

const ROTATE = "rotate";
const REVOKE = "revoke";
const ISSUER_ROLE = "issuer";

const keyEventError = (en, zh) =>
  new Refused(`The key event is not valid: ${en}.`, `密钥事件无效：${zh}。`);

/** Return a urn:uuid that follows from a digest. Source: RFC 9562, section 5.8 (UUIDv8). */
function urnOfDigest(digest) {
  const bytes = digest.slice(0, 16);
  bytes[6] = (bytes[6] & 0x0f) | 0x80;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = toHex(bytes);
  const cuts = [0, 8, 12, 16, 20, 32];
  return `urn:uuid:${cuts.slice(1).map((end, index) => hex.slice(cuts[index], end)).join("-")}`;
}

const keyEventId = (event, publicKey, role) =>
  urnOfDigest(sha256(utf8(`key-event/${event}/${role}/${toHex(publicKey)}`)));

/** Return what a record says of a key, checked to say so in the one way there is; keys in hex. */
function statementOf(record) {
  if (record.kind !== KEY_EVENT) throw keyEventError("the record is of another kind", "记录属于其他类型");
  const { subject, document } = record;
  const publicKey = keyOfMultibase(subject.get("publicKeyMultibase"));
  if (subject.get("id") !== DID_KEY + keyMultibase(publicKey)) {
    throw keyEventError("its id names another key than it states", "其标识所指密钥与所述密钥不同");
  }
  const [event, role] = [subject.get("event"), subject.get("role")];
  if (document.get("id") !== keyEventId(event, publicKey, role)) {
    throw keyEventError("its identifier does not follow from the key", "其标识不是由该密钥得出");
  }
  const isTimely = document.get("validFrom") === document.get("proof").get("created");
  if (!isTimely || document.has("validUntil") || document.has("supersedes")) {
    throw keyEventError(
      "it does not hold from its signing on, without end",
      "其有效期不是自签署起且无截止",
    );
  }
  const signer = signingKey(record);
  verifyProof(document, signer);
  const previous = subject.get("previousMultibase");
  return {
    event,
    role,
    publicKey: toHex(publicKey),
    previous: previous === undefined ? null : toHex(keyOfMultibase(previous)),
    signer: toHex(signer),
  };
}

/** Return an issuer and the did:keys that it followed by rotation, the newest first. */
function issuersBefore(issuer, events) {
  const names = [issuer];
  for (const record of [...events].reverse()) {
    const { subject } = record;
    if (
      record.kind === KEY_EVENT &&
      subject.get("event") === ROTATE &&
      subject.get("role") === ISSUER_ROLE &&
      subject.get("id") === names[names.length - 1] &&
      record.issuer.startsWith(DID_KEY)
    ) {
      names.push(record.issuer);
    }
  }
  return names;
}

/** The keys in force after the events that were replayed so far; keys are hex texts. */
class KeyState {
  constructor(roots) {
    this.roots = new Set(roots);
    this.begun = new Map();
    this.ended = new Map();
  }

  begunAt(role, key) {
    return this.begun.get(`${role} ${key}`) ?? null;
  }

  endedAt(role, key) {
    return this.ended.get(`${role} ${key}`) ?? null;
  }

  mayState(key) {
    const isKnown = this.roots.has(key) || this.begun.has(`${ISSUER_ROLE} ${key}`);
    return isKnown && !this.ended.has(`${ISSUER_ROLE} ${key}`);
  }

  /** Take up the next event; one that nobody in force signed only lets a root begin. */
  apply(position, { event, role, publicKey, previous, signer }) {
    const begins = event !== REVOKE;
    if (!this.mayState(signer)) {
      if (previous === signer && role === ISSUER_ROLE && this.roots.has(publicKey)) {
        this.begin(position, role, publicKey);
      }
      return;
    }
    if (previous !== null) this.end(position, role, previous);
    if (begins) this.begin(position, role, publicKey);
    else this.end(position, role, publicKey);
  }

  begin(position, role, key) {
    const name = `${role} ${key}`;
    if (this.begun.has(name) || this.ended.has(name)) {
      throw keyEventError(
        `at ${position} it begins a key that was known before`,
        `在 ${position} 处登记了此前已知的密钥`,
      );
    }
    this.begun.set(name, position);
  }

  end(position, role, key) {
    const name = `${role} ${key}`;
    const isRoot = role === ISSUER_ROLE && this.roots.has(key);
    if (this.ended.has(name) || !(isRoot || this.begun.has(name))) {
      throw keyEventError(
        `at ${position} it ends a key that is not in force`,
        `在 ${position} 处终止了并非有效的密钥`,
      );
    }
    this.ended.set(name, position);
  }
}
