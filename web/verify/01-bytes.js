// Bytes and their spellings: each encoding is read in its one spelling, anything else is refused.
// Source: src/carnet/ledger/encoding.py, which this file mirrors.

/** The refusal of a step: its cause in both languages. */
class Refused extends Error {
  constructor(en, zh) {
    super(en);
    this.cause = { en, zh };
  }
}

/** A step has nothing to look at. */
class NotChecked extends Error {
  constructor(en, zh) {
    super(en);
    this.cause = { en, zh };
  }
}

/** Text that cannot be decoded; whoever decodes says what that means. */
class Malformed extends Error {}

/** Return what reading gives; where the text cannot be read, throw the refusal instead. */
function reading(read, refusal) {
  try {
    return read();
  } catch (error) {
    if (error instanceof Refused || error instanceof Malformed) throw refusal;
    throw error;
  }
}

const HEX = "0123456789abcdef";
const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const BASE58_LENGTH_MAX = 128;

const utf8 = (text) => new TextEncoder().encode(text);

/** Return the text of UTF-8 bytes; a byte order mark is a character like any other. */
function utf8Text(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Malformed("not UTF-8");
  }
}

function concat(...parts) {
  const result = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

const isEqual = (left, right) =>
  left.length === right.length && left.every((byte, index) => byte === right[index]);

function toHex(bytes) {
  let text = "";
  for (const byte of bytes) text += HEX[byte >> 4] + HEX[byte & 15];
  return text;
}

function fromHex(text) {
  if (text.length % 2 || !/^[0-9a-f]*$/.test(text)) throw new Malformed("not hex");
  const bytes = new Uint8Array(text.length / 2);
  for (let index = 0; index < bytes.length; index += 1) {
    bytes[index] = HEX.indexOf(text[2 * index]) * 16 + HEX.indexOf(text[2 * index + 1]);
  }
  return bytes;
}

/** Return standard base64 with padding (RFC 4648, section 4). */
function toBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const rest = bytes.length - at;
    const group = (bytes[at] << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    text += BASE64[group >> 18] + BASE64[(group >> 12) & 63];
    text += rest > 1 ? BASE64[(group >> 6) & 63] : "=";
    text += rest > 2 ? BASE64[group & 63] : "=";
  }
  return text;
}

/** Return the bytes of standard base64 in its one spelling. */
function fromBase64(text) {
  if (text.length % 4 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw new Malformed("not base64");
  const digits = text.replace(/=+$/, "");
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let held = 0;
  let bits = 0;
  let at = 0;
  for (const digit of digits) {
    held = ((held << 6) | BASE64.indexOf(digit)) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at] = (held >> bits) & 255;
      at += 1;
    }
  }
  if (toBase64(bytes) !== text) throw new Malformed("not canonical base64");
  return bytes;
}

/** Return base64url without padding (RFC 4648, section 5). */
const toBase64Url = (bytes) =>
  toBase64(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

/** Return the bytes of unpadded base64url in its one spelling. */
function fromBase64Url(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new Malformed("not base64url");
  const standard = text.replace(/-/g, "+").replace(/_/g, "/");
  return fromBase64(standard + "=".repeat((4 - (standard.length % 4)) % 4));
}

/** Return the bytes of a base58btc multibase value (prefix z) in its one spelling. */
function fromMultibase(text) {
  if (!text.startsWith("z") || text.length > BASE58_LENGTH_MAX) throw new Malformed("not base58");
  let value = 0n;
  let zeros = 0;
  for (const digit of text.slice(1)) {
    const found = BASE58.indexOf(digit);
    if (found < 0) throw new Malformed("not base58");
    if (value === 0n && found === 0) zeros += 1;
    value = value * 58n + BigInt(found);
  }
  const digits = value === 0n ? "" : value.toString(16);
  return concat(new Uint8Array(zeros), fromHex(digits.length % 2 ? `0${digits}` : digits));
}

/** Return base58btc with the multibase prefix z. */
function toMultibase(bytes) {
  const zeros = bytes.findIndex((byte) => byte !== 0);
  let value = bytes.length ? BigInt(`0x${toHex(bytes)}`) : 0n;
  let text = "";
  while (value > 0n) {
    text = BASE58[Number(value % 58n)] + text;
    value /= 58n;
  }
  return `z${"1".repeat(zeros < 0 ? bytes.length : zeros)}${text}`;
}
