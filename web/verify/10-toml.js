// TOML 1.0, as far as a policy can be written in it. Values that no policy has, such as floats and
// times, are read as values of no kind, so that the shape of the policy refuses them.

/** A date of a TOML file. */
class TomlDate {
  constructor(text) {
    this.text = text;
  }

  toString() {
    return this.text;
  }
}

/** A value that no policy has: a float, a time or an instant. */
class TomlOther extends TomlDate {}

class TomlReader {
  constructor(text) {
    this.text = text.replace(/\r\n/g, "\n");
    this.at = 0;
    this.root = new Map();
    this.table = this.root;
    this.frozen = new Set(); // Inline tables and lists of values.
    this.dotted = new Set(); // Tables that a dotted key made: no header may open them again.
    this.implied = new Set(); // Tables that only a longer header has named.
  }

  fail(what) {
    const line = this.text.slice(0, this.at).split("\n").length;
    throw new Malformed(`${what} (line ${line})`);
  }

  match(pattern) {
    const sticky = new RegExp(pattern.source, "uy");
    sticky.lastIndex = this.at;
    const found = sticky.exec(this.text);
    if (found) this.at += found[0].length;
    return found;
  }

  expect(pattern, what) {
    return this.match(pattern) ?? this.fail(what);
  }

  skip() {
    this.match(/(?:[ \t\n]|#[^\x00-\x08\x0a-\x1f\x7f]*(?=\n|$))*/);
  }

  endOfLine() {
    this.expect(/[ \t]*(?:#[^\x00-\x08\x0a-\x1f\x7f]*)?(?:\n|$)/, "expected the end of the line");
  }

  document() {
    this.skip();
    while (this.at < this.text.length) {
      if (this.match(/\[\[/)) this.header(true);
      else if (this.match(/\[/)) this.header(false);
      else this.pair(this.table);
      this.endOfLine();
      this.skip();
    }
    return this.root;
  }

  key() {
    const parts = [];
    do {
      this.match(/[ \t]*/);
      const bare = this.match(/[A-Za-z0-9_-]+/);
      if (bare) parts.push(bare[0]);
      else if (/["']/.test(this.text[this.at] ?? "")) parts.push(this.string(false));
      else this.fail("expected a key");
      this.match(/[ \t]*/);
    } while (this.match(/\./));
    return parts;
  }

  header(isArray) {
    const path = this.key();
    this.expect(isArray ? /\]\]/ : /\]/, "expected the end of the header");
    const last = path.pop();
    let table = this.root;
    for (const name of path) table = this.step(table, name);
    this.table = isArray ? this.element(table, last) : this.opened(table, last);
  }

  step(table, name) {
    if (!table.has(name)) {
      const made = new Map();
      table.set(name, made);
      this.implied.add(made);
    }
    let found = table.get(name);
    if (Array.isArray(found) && !this.frozen.has(found)) found = found[found.length - 1];
    if (!(found instanceof Map) || this.frozen.has(found)) this.fail(`${name} is no table`);
    return found;
  }

  element(table, name) {
    if (!table.has(name)) table.set(name, []);
    const list = table.get(name);
    if (!Array.isArray(list) || this.frozen.has(list)) this.fail(`${name} is no list of tables`);
    const made = new Map();
    list.push(made);
    return made;
  }

  opened(table, name) {
    const found = table.get(name);
    if (found === undefined) {
      const made = new Map();
      table.set(name, made);
      return made;
    }
    if (!this.implied.delete(found)) this.fail(`${name} stands twice`);
    return found;
  }

  pair(table) {
    const path = this.key();
    this.expect(/=/, "expected =");
    this.match(/[ \t]*/);
    const last = path.pop();
    let target = table;
    for (const name of path) {
      if (!target.has(name)) {
        const made = new Map();
        target.set(name, made);
        this.dotted.add(made);
      }
      target = target.get(name);
      if (!this.dotted.has(target) || this.frozen.has(target)) this.fail(`${name} stands twice`);
    }
    if (target.has(last)) this.fail(`${last} stands twice`);
    target.set(last, this.value());
  }

  value() {
    const first = this.text[this.at] ?? "";
    if (first === '"' || first === "'") return this.string(true);
    if (first === "[") return this.array();
    if (first === "{") return this.inlineTable();
    return this.scalar();
  }

  scalar() {
    const found = this.expect(/[A-Za-z0-9+\-_.:]+(?: \d{2}:[0-9:.+\-Z]+)?/, "expected a value")[0];
    if (found === "true" || found === "false") return found === "true";
    if (/^\d{4}-\d{2}-\d{2}$/.test(found)) {
      if (dayNumber(found) === null) this.fail("no such date");
      return new TomlDate(found);
    }
    if (/^[+-]?(?:0|[1-9](?:_?\d)*)$/.test(found)) return Number(found.replace(/_/g, ""));
    const prefixed = /^0(?:x[0-9A-Fa-f](?:_?[0-9A-Fa-f])*|o[0-7](?:_?[0-7])*|b[01](?:_?[01])*)$/;
    if (prefixed.test(found)) return Number(found.replace(/_/g, ""));
    const float = /^[+-]?(?:inf|nan|(?:0|[1-9](?:_?\d)*)(?:\.\d(?:_?\d)*)?(?:[eE][+-]?\d(?:_?\d)*)?)$/;
    if (float.test(found) || /^\d{2}(?:\d{2}-\d{2}-\d{2}[Tt ]\d{2})?:\d{2}:\d{2}/.test(found)) {
      return new TomlOther(found);
    }
    return this.fail("this is no value");
  }

  array() {
    const items = [];
    this.frozen.add(items);
    this.at += 1;
    for (;;) {
      this.skip();
      if (this.match(/\]/)) return items;
      items.push(this.value());
      this.skip();
      if (this.match(/\]/)) return items;
      this.expect(/,/, "expected , or ]");
    }
  }

  inlineTable() {
    const table = new Map();
    this.at += 1;
    this.match(/[ \t]*/);
    if (!this.match(/\}/)) {
      do {
        this.pair(table);
        this.match(/[ \t]*/);
      } while (this.match(/,[ \t]*/));
      this.expect(/\}/, "expected }");
    }
    this.freeze(table);
    return table;
  }

  freeze(table) {
    this.frozen.add(table);
    for (const item of table.values()) if (item instanceof Map) this.freeze(item);
  }

  string(isLongAllowed) {
    const mark = this.text[this.at];
    if (isLongAllowed && this.text.startsWith(mark.repeat(3), this.at)) return this.longString(mark);
    const pattern =
      mark === '"'
        ? /"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\.)*)"/
        : /'([^'\x00-\x08\x0a-\x1f\x7f]*)'/;
    const [, body] = this.expect(pattern, "unfinished string");
    return mark === '"' ? this.unescaped(body) : body;
  }

  longString(mark) {
    const pattern =
      mark === '"'
        ? /"""\n?((?:[^"\\\x00-\x08\x0b-\x1f\x7f]|\\[^]|"{1,2}(?!"))*"{0,2})"""/
        : /'''\n?((?:[^'\x00-\x08\x0b-\x1f\x7f]|'{1,2}(?!'))*'{0,2})'''/;
    const [, body] = this.expect(pattern, "unfinished string");
    return mark === '"' ? this.unescaped(body.replace(/\\[ \t]*\n[ \t\n]*/g, "")) : body;
  }

  unescaped(body) {
    const named = { b: "\b", t: "\t", n: "\n", f: "\f", r: "\r", '"': '"', "\\": "\\" };
    return body.replace(
      /\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([^]))/g,
      (_, short, long, character) => {
        if (character !== undefined) return named[character] ?? this.fail("bad escape");
        const code = parseInt(short ?? long, 16);
        if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) this.fail("bad escape");
        return String.fromCodePoint(code);
      },
    );
  }
}

/** Return the tables of TOML bytes as Maps. */
function parseToml(bytes) {
  return new TomlReader(utf8Text(bytes)).document();
}
