// Signed notes, verifier keys, checkpoints and cosignatures, in the one spelling of C2SP.
// Source: C2SP signed-note v1.0.0, tlog-checkpoint v1.0.0, tlog-cosignature v1.0.0.

const NOTE_ED25519 = 0x01;
const NOTE_COSIGNATURE = 0x04;
const KEY_ID_SIZE = 4;
const NOTE_SIZE_MAX = 64 * 1024;
const SIGNATURES_MAX = 32;
const TIMESTAMP_SIZE = 8;
const TIMESTAMP_MAX = 2n ** 63n - 1n;
const BODY_LINES = 3;
const KEY_NAME =
  /^[^+\x00-\x20\x7f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$/u;
const ORIGIN = /^[!-*,-~]{1,255}$/;

const noteError = (en, zh) =>
  new Refused(`The signed note is not valid: ${en}.`, `签名注记无效：${zh}。`);
const repr = (text, count) => quoted(cut(text, count), false);

/** Return the four bytes that tell one key of a name from another. */
function noteKeyId(name, type, publicKey) {
  return sha256(concat(utf8(`${name}\n`), Uint8Array.of(type), publicKey)).slice(0, KEY_ID_SIZE);
}

/** A public key under the name it signs notes with. */
class VerifierKey {
  constructor(name, type, publicKey) {
    this.name = name;
    this.type = type;
    this.publicKey = publicKey;
    this.keyId = toHex(noteKeyId(name, type, publicKey));
  }

  toText() {
    return `${this.name}+${this.keyId}+${toBase64(concat(Uint8Array.of(this.type), this.publicKey))}`;
  }
}

function parseVerifierKey(text) {
  const fail = (en, zh) =>
    new Refused(`The verifier key ${repr(text, 120)} ${en}.`, `验证密钥 ${repr(text, 120)} ${zh}。`);
  const found = /^([^+]*)\+([^+]*)\+([^]*)$/.exec(text);
  if (!found || !KEY_NAME.test(found[1]) || !/^[0-9a-f]{8}$/.test(found[2])) {
    throw fail("is not of the form name+hash+key", "不符合 name+hash+key 的格式");
  }
  const material = reading(() => fromBase64(found[3]), fail("does not end in base64", "结尾不是 base64"));
  if (![NOTE_ED25519, NOTE_COSIGNATURE].includes(material[0])) {
    throw fail("is of an unknown type", "类型未知");
  }
  const key = new VerifierKey(found[1], material[0], material.slice(1));
  if (key.keyId !== found[2]) throw fail("does not match its own hash", "与其自身的哈希不符");
  checkPublicKey(key.publicKey);
  return key;
}

function parseNoteSignature(name, encoded) {
  if (!KEY_NAME.test(name)) {
    throw noteError(`${repr(name, 80)} is no key name`, `${repr(name, 80)} 不是密钥名称`);
  }
  const data = reading(() => fromBase64(encoded), noteError("a signature is not base64", "签名不是 base64"));
  if (data.length <= KEY_ID_SIZE) throw noteError("a signature is too short", "签名过短");
  return { name, keyId: toHex(data.slice(0, KEY_ID_SIZE)), signature: data.slice(KEY_ID_SIZE) };
}

function noteText(note) {
  const lines = note.signatures.map(
    ({ name, keyId, signature }) => `— ${name} ${toBase64(concat(fromHex(keyId), signature))}\n`,
  );
  return `${note.text}\n${lines.join("")}`;
}

/** Return a note from its text, which must be in the one spelling of a note. */
function parseNote(text) {
  if (codePoints(text).length > NOTE_SIZE_MAX) {
    throw noteError(`it is longer than ${NOTE_SIZE_MAX} characters`, "超过长度上限");
  }
  if (/[\x00-\x09\x0b-\x1f]|\p{Surrogate}/u.test(text)) {
    throw noteError("it holds a control character or no Unicode", "含有控制字符或非 Unicode 字符");
  }
  const split = text.lastIndexOf("\n\n");
  const lines = [...text.slice(split + 2).matchAll(/— ([^ \n]+) ([^ \n]+)\n/g)];
  if (split < 0 || !lines.length) throw noteError("it has no signature", "没有签名");
  if (lines.length > SIGNATURES_MAX) {
    throw noteError(`it has more than ${SIGNATURES_MAX} signatures`, "签名数量超过上限");
  }
  const signatures = lines.map((line) => parseNoteSignature(line[1], line[2]));
  const note = { text: text.slice(0, split + 1), signatures };
  if (noteText(note) !== text) {
    throw noteError("a line is not a signature line", "存在不是签名行的行");
  }
  const signers = new Set(signatures.map(({ name, keyId }) => `${name} ${keyId}`));
  if (signers.size !== signatures.length) throw noteError("one key signed twice", "同一密钥签名两次");
  return note;
}

const signaturesOf = (note, key) =>
  note.signatures.filter(({ name, keyId }) => name === key.name && keyId === key.keyId);

/** Check that a note is signed by a key of a log. */
function verifyNote(note, key) {
  const found = signaturesOf(note, key);
  if (!found.length) throw noteError(`${key.name} did not sign it`, `${key.name} 没有签名`);
  for (const { signature } of found) verifySignature(key.publicKey, utf8(note.text), signature);
}

const checkpointError = (en, zh) =>
  new Refused(`The checkpoint is not valid: ${en}.`, `检查点无效：${zh}。`);

/** Return origin, size and root of a note's text, which is exactly these three lines. */
function parseBody(body) {
  const lines = body.split("\n");
  if (lines.length !== BODY_LINES + 1 || lines[BODY_LINES]) {
    throw checkpointError("it does not have exactly three lines", "不是恰好三行");
  }
  const [origin, size, rootText] = lines;
  if (!ORIGIN.test(origin)) {
    throw checkpointError(`${repr(origin, 80)} is no origin`, `${repr(origin, 80)} 不是来源名称`);
  }
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(size) || Number(size) > TREE_SIZE_MAX) {
    throw checkpointError(`${repr(size, 40)} is no tree size`, `${repr(size, 40)} 不是树大小`);
  }
  const root = reading(() => fromBase64(rootText), checkpointError("the root is not base64", "根不是 base64"));
  if (root.length !== DIGEST_SIZE) throw checkpointError("the root is not 32 bytes", "根不是 32 字节");
  return { origin, size: Number(size), root };
}

/** Return a signed checkpoint of a note; no signature is checked here. */
function parseCheckpoint(text) {
  const note = parseNote(text);
  return { ...parseBody(note.text), note };
}

function verifyCheckpoint(signed, key) {
  if (signed.origin !== key.name) {
    const [origin, name] = [repr(signed.origin, 999), repr(key.name, 999)];
    throw checkpointError(`${origin} is not ${name}`, `${origin} 不是 ${name}`);
  }
  verifyNote(signed.note, key);
}

/** Check a witness's cosignature, which covers the time it was made at. */
function verifyCosignature(signed, key) {
  const found = signaturesOf(signed.note, key);
  if (!found.length) throw noteError(`${key.name} did not cosign it`, `${key.name} 没有联署`);
  const data = found[0].signature;
  const time = BigInt(`0x${toHex(data.slice(0, TIMESTAMP_SIZE))}`);
  if (time > TIMESTAMP_MAX) {
    throw noteError(`${key.name} gave no valid time`, `${key.name} 的时间无效`);
  }
  const message = utf8(`cosignature/v1\ntime ${time}\n${signed.note.text}`);
  verifySignature(key.publicKey, message, data.slice(TIMESTAMP_SIZE));
}
