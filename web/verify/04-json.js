// JSON of the canonical profile, read strictly and written in its one spelling.
//
// JSON.parse takes duplicate keys, rounds large numbers and knows no bound of depth; this reader
// refuses them. Objects become Maps: a key such as __proto__ is then a key like any other.
// Source: RFC 8785; src/carnet/core/canonical.py.

const INTEGER_MAX = Number.MAX_SAFE_INTEGER;
const DEPTH_MAX = 32;
const DOCUMENT_SIZE_MAX = 4 * 1024 * 1024;
const INTEGER_TEXT_MAX = 17;

function notCanonical(en, zh) {
  return new Refused(
    `The document is not canonical JSON: ${en}.`,
    `文档不是规范 JSON：${zh}。`,
  );
}

class JsonReader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  fail(what = "unexpected character", zh = "意外的字符") {
    throw notCanonical(
      `it cannot be read (${what} at ${this.at})`,
      `无法读取（位置 ${this.at}：${zh}）`,
    );
  }

  skipSpace() {
    while (" \t\n\r".includes(this.text[this.at] ?? "x")) this.at += 1;
  }

  take(character) {
    if (this.text[this.at] !== character) this.fail();
    this.at += 1;
  }

  document() {
    const value = this.value(0);
    if (this.at !== this.text.length) this.fail();
    return value;
  }

  value(depth) {
    if (depth > DEPTH_MAX) {
      throw notCanonical(`nesting is deeper than ${DEPTH_MAX}`, `嵌套超过 ${DEPTH_MAX} 层`);
    }
    this.skipSpace();
    const value = this.bare(depth);
    this.skipSpace();
    return value;
  }

  bare(depth) {
    const first = this.text[this.at];
    if (first === "{") return this.object(depth);
    if (first === "[") return this.array(depth);
    if (first === '"') return this.string();
    for (const [word, value] of [["true", true], ["false", false], ["null", null]]) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    return this.integer();
  }

  integer() {
    const pattern = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (!found) this.fail();
    const [text, fraction, exponent] = found;
    const shown = text.slice(0, 40);
    if (fraction || exponent) throw notCanonical(`${shown} is not an integer`, `${shown} 不是整数`);
    if (text.length > INTEGER_TEXT_MAX) {
      throw notCanonical(`the integer ${shown} is too large`, `整数 ${shown} 过大`);
    }
    const value = Number(text);
    if (!Number.isSafeInteger(value)) {
      throw notCanonical(`the integer ${text} is beyond 2**53-1`, `整数 ${text} 超出 2**53-1`);
    }
    this.at += text.length;
    return value === 0 ? 0 : value;
  }

  string() {
    const start = this.at;
    this.at += 1;
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (Number.isNaN(code) || code < 0x20) this.fail("unfinished string", "字符串未结束");
      this.at += 1;
      if (code === 0x22) break;
      if (code === 0x5c) this.at += 1;
    }
    return this.unescaped(this.text.slice(start, this.at));
  }

  unescaped(literal) {
    let value;
    try {
      // A single string without control characters: here the built-in reader is strict.
      value = JSON.parse(literal);
    } catch {
      this.fail("bad escape", "转义错误");
    }
    if (/\p{Surrogate}/u.test(value)) {
      throw notCanonical("a string holds a lone surrogate", "字符串含有孤立代理项");
    }
    return value;
  }

  array(depth) {
    const items = [];
    this.at += 1;
    this.skipSpace();
    if (this.text[this.at] === "]") {
      this.at += 1;
      return items;
    }
    for (;;) {
      items.push(this.value(depth + 1));
      if (this.text[this.at] === "]") break;
      this.take(",");
    }
    this.at += 1;
    return items;
  }

  object(depth) {
    const members = new Map();
    this.at += 1;
    this.skipSpace();
    if (this.text[this.at] === "}") {
      this.at += 1;
      return members;
    }
    for (;;) {
      this.member(members, depth);
      if (this.text[this.at] === "}") break;
      this.take(",");
    }
    this.at += 1;
    return members;
  }

  member(members, depth) {
    this.skipSpace();
    if (this.text[this.at] !== '"') this.fail();
    const key = this.string();
    if (!/^[\x00-\x7f]*$/.test(key)) {
      const shown = quoted(key).slice(0, 80);
      throw notCanonical(`the key ${shown} is not ASCII text`, `键 ${shown} 不是 ASCII 文本`);
    }
    if (members.has(key)) {
      throw notCanonical("a key stands twice in one object", "同一对象中有重复的键");
    }
    this.skipSpace();
    this.take(":");
    members.set(key, this.value(depth + 1));
  }
}

/** Return the value of JSON bytes inside the profile, in any spelling. */
function parseStrict(bytes, sizeMax = DOCUMENT_SIZE_MAX) {
  if (bytes.length > sizeMax) {
    throw notCanonical(`${bytes.length} bytes, at most ${sizeMax}`, `${bytes.length} 字节，上限 ${sizeMax}`);
  }
  const refusal = notCanonical("it cannot be read (not UTF-8)", "无法读取（不是 UTF-8）");
  const text = reading(() => utf8Text(bytes), refusal);
  return new JsonReader(text).document();
}

function canonicalText(value) {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  if (value instanceof Map) {
    const keys = [...value.keys()].sort();
    return `{${keys.map((key) => `${JSON.stringify(key)}:${canonicalText(value.get(key))}`).join(",")}}`;
  }
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

/** Return the one spelling of a value that was read. */
const canonical = (value) => utf8(canonicalText(value));

/** Return the value of a canonical document. */
function parseCanonical(bytes) {
  const value = parseStrict(bytes);
  if (!isEqual(canonical(value), bytes)) {
    throw notCanonical("it is not in its canonical spelling", "不是规范写法");
  }
  return value;
}
