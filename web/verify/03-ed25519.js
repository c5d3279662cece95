// Ed25519, verification alone: nothing here is secret, so that nothing has to take equal time.
//
// The rules are those of libsodium, which the Python verifier uses: S below the order of the group,
// a key in its one spelling and of no low order, R of no low order and equal to its computed value
// byte by byte, without the cofactor. Browsers' own implementations differ in these, so that a proof
// could hold in one browser and fail in another. Source: RFC 8032, section 5.1.7.

const P = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const mod = (value) => {
  const rest = value % P;
  return rest < 0n ? rest + P : rest;
};

function power(base, exponent) {
  let result = 1n;
  let square = mod(base);
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % P;
    square = (square * square) % P;
  }
  return result;
}

const CURVE_D = mod(-121665n * power(121666n, P - 2n));
const CURVE_2D = mod(2n * CURVE_D);
const ROOT_OF_MINUS_ONE = power(2n, (P - 1n) / 4n);
const SIGN_BIT = 1n << 255n;

// A point is [X, Y, Z, T] with x = X/Z, y = Y/Z, xy = T/Z (RFC 8032, section 5.1.4).
const NEUTRAL = [0n, 1n, 1n, 0n];

function addPoints([x1, y1, z1, t1], [x2, y2, z2, t2]) {
  const a = ((y1 - x1) * (y2 - x2)) % P;
  const b = ((y1 + x1) * (y2 + x2)) % P;
  const c = (((t1 * CURVE_2D) % P) * t2) % P;
  const d = (2n * z1 * z2) % P;
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return [(e * f) % P, (g * h) % P, (f * g) % P, (e * h) % P];
}

function doublePoint([x, y, z]) {
  const a = (x * x) % P;
  const b = (y * y) % P;
  const h = a + b;
  const sum = x + y;
  const e = h - ((sum * sum) % P);
  const g = a - b;
  const f = ((2n * z * z) % P) + g;
  return [(e * f) % P, (g * h) % P, (f * g) % P, (e * h) % P];
}

const negatePoint = ([x, y, z, t]) => [-x, y, z, -t];

/** Return the multiple of a point by a number, four bits at a time. */
function multiplyPoint(point, factor) {
  const multiples = [NEUTRAL, point];
  for (let index = 2; index < 16; index += 1) multiples.push(addPoints(multiples[index - 1], point));
  let result = NEUTRAL;
  for (const digit of factor.toString(16)) {
    for (let index = 0; index < 4; index += 1) result = doublePoint(result);
    const value = parseInt(digit, 16);
    if (value) result = addPoints(result, multiples[value]);
  }
  return result;
}

const isNeutral = ([x, y, z]) => mod(x) === 0n && mod(y - z) === 0n;
const hasLowOrder = (point) => isNeutral(doublePoint(doublePoint(doublePoint(point))));

/** Return the number that bytes spell, least first. */
function littleEndian(bytes) {
  return BigInt(`0x${toHex(Uint8Array.from(bytes).reverse())}`);
}

/** Return the point of 32 bytes, null where there is none. Source: RFC 8032, section 5.1.3. */
function decodePoint(bytes) {
  const number = littleEndian(bytes);
  const y = mod(number & ~SIGN_BIT);
  const u = mod(y * y - 1n);
  const v = mod(CURVE_D * y * y + 1n);
  let x = mod(u * power(v, 3n) * power(u * power(v, 7n), (P - 5n) / 8n));
  const check = mod(v * x * x);
  if (check === mod(-u)) x = mod(x * ROOT_OF_MINUS_ONE);
  else if (check !== u) return null;
  if ((x & 1n) !== number >> 255n) x = mod(-x);
  return [x, y, 1n, mod(x * y)];
}

/** Return the 32 bytes of a point. Source: RFC 8032, section 5.1.2. */
function encodePoint([x, y, z]) {
  const inverse = power(z, P - 2n);
  const number = mod(y * inverse) | ((mod(x * inverse) & 1n) << 255n);
  return fromHex(number.toString(16).padStart(64, "0")).reverse();
}

const isCanonicalPoint = (bytes) => (littleEndian(bytes) & ~SIGN_BIT) < P;
const BASE_POINT = decodePoint(fromHex(`58${"66".repeat(31)}`));

const remembered = new Map();
const REMEMBERED_MAX = 4096;

/** Return what a function gives for a name, computed once: keys and signatures recur. */
function once(name, compute) {
  if (!remembered.has(name)) {
    if (remembered.size >= REMEMBERED_MAX) remembered.clear();
    remembered.set(name, compute());
  }
  return remembered.get(name);
}

/** Return whether bytes are a canonical point of the prime-order subgroup. */
function isSoundKey(key) {
  return once(`key ${toHex(key)}`, () => {
    if (key.length !== 32 || !isCanonicalPoint(key)) return false;
    const point = decodePoint(key);
    return point !== null && !hasLowOrder(point) && isNeutral(multiplyPoint(point, ORDER));
  });
}

function isSignature(key, message, signature) {
  if (key.length !== 32 || signature.length !== 64) return false;
  const [r, s] = [signature.slice(0, 32), littleEndian(signature.slice(32))];
  if (s >= ORDER || !isCanonicalPoint(key)) return false;
  const [keyPoint, rPoint] = [decodePoint(key), decodePoint(r)];
  if (!keyPoint || hasLowOrder(keyPoint) || !rPoint || hasLowOrder(rPoint)) return false;
  const k = littleEndian(sha512(concat(r, key, message))) % ORDER;
  const [left, right] = [multiplyPoint(BASE_POINT, s), multiplyPoint(negatePoint(keyPoint), k)];
  return isEqual(encodePoint(addPoints(left, right)), r);
}

/** Return whether 64 bytes are a signature of a message under a key. */
function verifiesUnder(key, message, signature) {
  const name = `${toHex(key)} ${toHex(signature)} ${toHex(sha256(message))}`;
  return once(name, () => isSignature(key, message, signature));
}

function checkPublicKey(key) {
  if (isSoundKey(key)) return;
  const hex = toHex(key.slice(0, 40));
  throw new Refused(
    `The key ${hex} is not a sound Ed25519 public key.`,
    `密钥 ${hex} 不是合格的 Ed25519 公钥。`,
  );
}

function verifySignature(key, message, signature) {
  if (verifiesUnder(key, message, signature)) return;
  const hex = toHex(key.slice(0, 40));
  throw new Refused(
    `The signature does not verify under the key ${hex}.`,
    `签名在密钥 ${hex} 下核验失败。`,
  );
}
