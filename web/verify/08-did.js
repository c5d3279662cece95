// Issuers and their keys; proofs of the cryptosuite eddsa-jcs-2022.
// Source: W3C did:key v0.9; did:web method; Data Integrity EdDSA Cryptosuites v1.0, section 3.3.

const DID_KEY = "did:key:";
const DID_WEB = "did:web:";
const DID_LENGTH_MAX = 200;
const ED25519_MULTICODEC = Uint8Array.of(0xed, 0x01);
const DID_WEB_PATTERN = /^did:web:[a-z0-9](?:[a-z0-9.-]|%3A[0-9])*(?::[A-Za-z0-9._-]+)*$/;
const PROOF_TYPE = "DataIntegrityProof";
const CRYPTOSUITE = "eddsa-jcs-2022";

const didError = (text, en, zh) =>
  new Refused(`The identifier ${repr(text, 120)} ${en}.`, `标识符 ${repr(text, 120)} ${zh}。`);

const keyMultibase = (publicKey) => toMultibase(concat(ED25519_MULTICODEC, publicKey));

/** Return the Ed25519 public key of a multikey z6Mk... */
function keyOfMultibase(text) {
  const data = reading(() => fromMultibase(text), didError(text, "is not a base58 multikey", "不是 base58 多重编码密钥"));
  if (data.length !== 34 || !isEqual(data.slice(0, 2), ED25519_MULTICODEC)) {
    throw didError(text, "is not an Ed25519 key", "不是 Ed25519 密钥");
  }
  checkPublicKey(data.slice(2));
  return data.slice(2);
}

/** Return whether a text can name an issuer: a sound did:key, or a did:web. */
function isIssuerId(text) {
  if (codePoints(text).length > DID_LENGTH_MAX) return false;
  if (text.startsWith(DID_WEB)) return DID_WEB_PATTERN.test(text);
  if (!text.startsWith(DID_KEY)) return false;
  try {
    keyOfMultibase(text.slice(DID_KEY.length));
  } catch (error) {
    if (error instanceof Refused) return false;
    throw error;
  }
  return true;
}

/** Return the issuer and the public key that the address of a key names. */
function splitVerificationMethod(text) {
  const at = text.indexOf("#");
  const issuer = at < 0 ? text : text.slice(0, at);
  if (at < 0 || !isIssuerId(issuer)) {
    throw didError(text, "names no key of an issuer", "没有指明签发方的密钥");
  }
  const publicKey = keyOfMultibase(text.slice(at + 1));
  if (issuer.startsWith(DID_KEY) && issuer !== DID_KEY + keyMultibase(publicKey)) {
    throw didError(text, "names another key than its did:key", "所指密钥与 did:key 不符");
  }
  return { issuer, publicKey };
}

const without = (members, name) => new Map([...members].filter(([key]) => key !== name));

/** Return the 64 bytes that are signed: the hash of the options, then of the document. */
const hashData = (document, options) =>
  concat(sha256(canonical(options)), sha256(canonical(document)));

const proofError = (en, zh) => new Refused(`The proof is not valid: ${en}.`, `证明无效：${zh}。`);

/** Check the proof of a signed document under a key. */
function verifyProof(document, publicKey) {
  const proof = document.get("proof");
  if (!(proof instanceof Map) || typeof proof.get("proofValue") !== "string") {
    throw proofError("there is none", "没有证明");
  }
  if (proof.get("type") !== PROOF_TYPE || proof.get("cryptosuite") !== CRYPTOSUITE) {
    throw proofError("it is of another cryptosuite", "密码套件不同");
  }
  const context = document.get("@context");
  const isSame = canonicalText(proof.get("@context")) === canonicalText(context);
  if (proof.has("@context") && !isSame) {
    throw proofError("it was made under another context", "上下文不同");
  }
  const signature = reading(() => fromMultibase(proof.get("proofValue")), proofError("its value is not base58", "其值不是 base58"));
  const data = hashData(without(document, "proof"), without(proof, "proofValue"));
  verifySignature(publicKey, data, signature);
}
