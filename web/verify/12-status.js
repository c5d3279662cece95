// The bits of a status list: GZIP of one plain member, unfolded within the bound of a list.
// Source: src/carnet/ledger/status_list.py; RFC 1951; RFC 1952; W3C Bitstring Status List v1.0.

const STATUS_CURRENT = 0;
const STATUS_REVOKED = 1;
const STATUS_SUPERSEDED = 2;
const STATUS_SIZE = 2;
const LIST_BYTES = (DESCRIPTION.statusEntries * STATUS_SIZE) / 8;
const GZIP_HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0);
const GZIP_HEADER_SIZE = 10;
const GZIP_TRAILER_SIZE = 8;
const CODE_LENGTH_MAX = 15;
const LENGTH_CODE_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const LENGTH_BASES = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
  163, 195, 227, 258,
];
const LENGTH_BITS = [
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
];
const DISTANCE_BASES = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049,
  3073, 4097, 6145, 8193, 12289, 16385, 24577,
];
const DISTANCE_BITS = [
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
];

const listError = (en, zh) =>
  new Refused(`The status list cannot be read: ${en}.`, `状态列表无法读取：${zh}。`);
const damaged = () => new Malformed("damaged");

/** Return the checksum of RFC 1952, section 8. */
function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

const wordAt = (bytes, at) =>
  (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;

/** A code of RFC 1951, section 3.2.2: how many there are of each length, and their symbols. */
class HuffmanCode {
  constructor(lengths, mayBeOne) {
    this.counts = new Array(CODE_LENGTH_MAX + 1).fill(0);
    for (const length of lengths) this.counts[length] += 1;
    const used = lengths.length - this.counts[0];
    let left = 1;
    for (let length = 1; length <= CODE_LENGTH_MAX; length += 1) {
      left = left * 2 - this.counts[length];
      if (left < 0) throw damaged();
    }
    // A code that is not full is refused, but for one that is empty or has one symbol of one bit.
    if (left > 0 && !(mayBeOne && (used === 0 || (used === 1 && this.counts[1] === 1)))) {
      throw damaged();
    }
    const starts = [0, 0];
    for (let length = 1; length < CODE_LENGTH_MAX; length += 1) {
      starts[length + 1] = starts[length] + this.counts[length];
    }
    this.symbols = [];
    lengths.forEach((length, symbol) => {
      if (length) this.symbols[starts[length]++] = symbol;
    });
  }
}

/** Reads the blocks of RFC 1951 and writes no more than a bound. */
class Inflater {
  constructor(bytes, sizeMax) {
    this.bytes = bytes;
    this.out = new Uint8Array(sizeMax);
    this.size = 0;
    this.at = 0;
    this.held = 0;
    this.count = 0;
  }

  bits(count) {
    while (this.count < count) {
      if (this.at >= this.bytes.length) throw damaged();
      this.held |= this.bytes[this.at] << this.count;
      this.at += 1;
      this.count += 8;
    }
    const value = this.held & ((1 << count) - 1);
    this.held >>>= count;
    this.count -= count;
    return value;
  }

  symbol(code) {
    let [value, first, index] = [0, 0, 0];
    for (let length = 1; length <= CODE_LENGTH_MAX; length += 1) {
      value |= this.bits(1);
      const count = code.counts[length];
      if (value - count < first) return code.symbols[index + (value - first)];
      index += count;
      first = (first + count) * 2;
      value *= 2;
    }
    throw damaged();
  }

  put(byte) {
    if (this.size >= this.out.length) throw damaged();
    this.out[this.size] = byte;
    this.size += 1;
  }

  stored() {
    this.held = 0;
    this.count = 0;
    const size = this.bits(16);
    if (this.bits(16) !== (~size & 0xffff)) throw damaged();
    for (let done = 0; done < size; done += 1) this.put(this.bits(8));
  }

  coded(literals, distances) {
    for (;;) {
      const symbol = this.symbol(literals);
      if (symbol < 256) this.put(symbol);
      else if (symbol === 256) return;
      else this.copy(symbol - 257, distances);
    }
  }

  copy(code, distances) {
    if (code >= LENGTH_BASES.length) throw damaged();
    const length = LENGTH_BASES[code] + this.bits(LENGTH_BITS[code]);
    const symbol = this.symbol(distances);
    if (symbol >= DISTANCE_BASES.length) throw damaged();
    const distance = DISTANCE_BASES[symbol] + this.bits(DISTANCE_BITS[symbol]);
    if (distance > this.size) throw damaged();
    for (let done = 0; done < length; done += 1) this.put(this.out[this.size - distance]);
  }

  fixed() {
    const lengths = Array.from({ length: 288 }, (_, symbol) =>
      symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8,
    );
    this.coded(new HuffmanCode(lengths, false), new HuffmanCode(new Array(32).fill(5), false));
  }

  dynamic() {
    const [literals, distances, used] = [this.bits(5) + 257, this.bits(5) + 1, this.bits(4) + 4];
    if (literals > 286 || distances > 30) throw damaged();
    const order = new Array(19).fill(0);
    for (let index = 0; index < used; index += 1) order[LENGTH_CODE_ORDER[index]] = this.bits(3);
    const lengths = this.lengths(new HuffmanCode(order, false), literals + distances);
    if (lengths[256] === 0) throw damaged();
    this.coded(
      new HuffmanCode(lengths.slice(0, literals), true),
      new HuffmanCode(lengths.slice(literals), true),
    );
  }

  lengths(code, count) {
    const lengths = [];
    while (lengths.length < count) {
      const symbol = this.symbol(code);
      if (symbol < 16) {
        lengths.push(symbol);
        continue;
      }
      if (symbol === 16 && !lengths.length) throw damaged();
      const value = symbol === 16 ? lengths[lengths.length - 1] : 0;
      const repeat = { 16: () => 3 + this.bits(2), 17: () => 3 + this.bits(3), 18: () => 11 + this.bits(7) };
      for (let left = repeat[symbol](); left > 0; left -= 1) lengths.push(value);
    }
    if (lengths.length > count) throw damaged();
    return lengths;
  }

  run() {
    let isLast = false;
    while (!isLast) {
      isLast = this.bits(1) === 1;
      const type = this.bits(2);
      if (type === 3) throw damaged();
      if (type === 0) this.stored();
      else if (type === 1) this.fixed();
      else this.dynamic();
    }
    return this.out.slice(0, this.size);
  }
}

/** Return the bits of a packed list. */
function decodeList(text) {
  const error = listError("it is damaged or of another size", "已损坏或大小不符");
  const data = reading(
    () => fromBase64Url(text.slice(1)),
    listError("it is not base64url", "不是 base64url"),
  );
  const isPlain = isEqual(data.slice(0, GZIP_HEADER.length), GZIP_HEADER);
  if (!isPlain || data.length < GZIP_HEADER_SIZE + GZIP_TRAILER_SIZE) {
    throw listError("it is not plain GZIP", "不是普通 GZIP");
  }
  const inflater = new Inflater(data.subarray(GZIP_HEADER_SIZE), LIST_BYTES);
  const bits = reading(() => inflater.run(), error);
  const end = GZIP_HEADER_SIZE + inflater.at;
  const isWhole = bits.length === LIST_BYTES && data.length === end + GZIP_TRAILER_SIZE;
  if (!isWhole || wordAt(data, end) !== crc32(bits)) throw error;
  if (wordAt(data, end + 4) !== bits.length) throw error;
  return bits;
}

/** Return the value of an entry; the first has the highest bits of the first byte. */
function valueAt(bits, index) {
  const perByte = 8 / STATUS_SIZE;
  const shift = 8 - STATUS_SIZE - STATUS_SIZE * (index % perByte);
  return (bits[Math.floor(index / perByte)] >> shift) & ((1 << STATUS_SIZE) - 1);
}
