// SHA-256 and SHA-512, written out so that the page needs nothing of the browser that is missing
// outside secure contexts, and says the same in every browser. Source: FIPS 180-4.

const PRIMES = (() => {
  const found = [];
  for (let number = 2; found.length < 80; number += 1) {
    if (found.every((prime) => number % prime)) found.push(number);
  }
  return found;
})();

/** Return the first 64 bits of the fraction of the square or cube root of a prime. */
function rootFraction(prime, degree) {
  const power = BigInt(degree);
  const target = BigInt(prime) << (64n * power);
  let low = 0n;
  let high = 1n << 70n;
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle ** power <= target) low = middle;
    else high = middle;
  }
  return low & 0xffffffffffffffffn;
}

const START = PRIMES.slice(0, 8).map((prime) => rootFraction(prime, 2));
const ROUND = PRIMES.map((prime) => rootFraction(prime, 3));
const high32 = (values) => Uint32Array.from(values, (value) => Number(value >> 32n));
const START_HIGH = high32(START);
const ROUND_HIGH = high32(ROUND);

/** Return a message with its padding, in blocks of a size. */
function padded(message, block) {
  const lengthSize = block / 8;
  const size = Math.ceil((message.length + 1 + lengthSize) / block) * block;
  const data = new Uint8Array(size);
  data.set(message);
  data[message.length] = 0x80;
  const view = new DataView(data.buffer);
  view.setUint32(size - 8, Math.floor(message.length / 0x20000000));
  view.setUint32(size - 4, (message.length << 3) >>> 0);
  return view;
}

const rotate = (word, count) => (word >>> count) | (word << (32 - count));

/** Return the SHA-256 of some bytes. */
function sha256(message) {
  const view = padded(message, 64);
  const state = Uint32Array.from(START_HIGH);
  const w = new Uint32Array(64);
  for (let at = 0; at < view.byteLength; at += 64) {
    for (let i = 0; i < 16; i += 1) w[i] = view.getUint32(at + 4 * i);
    for (let i = 16; i < 64; i += 1) {
      const s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ (w[i - 15] >>> 3);
      const s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ (w[i - 2] >>> 10);
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i += 1) {
      const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUND_HIGH[i] + w[i]) | 0;
      const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] += word));
  }
  const out = new DataView(new ArrayBuffer(32));
  state.forEach((word, i) => out.setUint32(4 * i, word));
  return new Uint8Array(out.buffer);
}

const MASK64 = 0xffffffffffffffffn;
const rotate64 = (word, count) => ((word >> count) | (word << (64n - count))) & MASK64;

/** Return the SHA-512 of some bytes. It only ever hashes what one signature covers. */
function sha512(message) {
  const view = padded(message, 128);
  const state = [...START];
  const w = new Array(80);
  for (let at = 0; at < view.byteLength; at += 128) {
    for (let i = 0; i < 16; i += 1) w[i] = view.getBigUint64(at + 8 * i);
    for (let i = 16; i < 80; i += 1) {
      const s0 = rotate64(w[i - 15], 1n) ^ rotate64(w[i - 15], 8n) ^ (w[i - 15] >> 7n);
      const s1 = rotate64(w[i - 2], 19n) ^ rotate64(w[i - 2], 61n) ^ (w[i - 2] >> 6n);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) & MASK64;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 80; i += 1) {
      const s1 = rotate64(e, 14n) ^ rotate64(e, 18n) ^ rotate64(e, 41n);
      const t1 = h + s1 + ((e & f) ^ (~e & MASK64 & g)) + ROUND[i] + w[i];
      const s0 = rotate64(a, 28n) ^ rotate64(a, 34n) ^ rotate64(a, 39n);
      const t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) & MASK64, c, b, a, (t1 + t2) & MASK64];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] = (state[i] + word) & MASK64));
  }
  const out = new DataView(new ArrayBuffer(64));
  state.forEach((word, i) => out.setBigUint64(8 * i, word));
  return new Uint8Array(out.buffer);
}
