// Closed shapes of documents: every member named, every value bounded, nothing unknown.
// Source: src/carnet/ledger/shape.py.

const SHOWN_MAX = 60;
const codePoints = (text) => Array.from(text);

/** Return text in quotes with everything escaped that is not plain, as Python's ascii() does. */
function quoted(text, isAscii = true) {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const named = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", [mark]: `\\${mark}` };
  const escape = (character) => {
    const code = character.codePointAt(0);
    if (named[character]) return named[character];
    if (code >= 0x20 && code < 0x7f) return character;
    if (!isAscii && /[\p{L}\p{M}\p{N}\p{P}\p{S}]/u.test(character)) return character;
    const hex = code.toString(16);
    if (code < 0x100) return `\\x${hex.padStart(2, "0")}`;
    return code < 0x10000 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
  };
  return mark + codePoints(text).map(escape).join("") + mark;
}

const cut = (text, count) => codePoints(text).slice(0, count).join("");

function spelled(value) {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return quoted(value);
  if (Array.isArray(value)) return `[${value.map(spelled).join(", ")}]`;
  if (value instanceof Map) {
    return `{${[...value].map(([key, item]) => `${spelled(key)}: ${spelled(item)}`).join(", ")}}`;
  }
  return String(value);
}

/** Return a value for a message: escaped, in ASCII, and short. */
function shown(value) {
  const text = spelled(value);
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}...`;
}

function shapeError(path, value, en, zh) {
  return new Refused(
    `${path || "The document"} is ${shown(value)}, expected ${en}.`,
    `${path || "文档"} 的值为 ${shown(value)}，应为${zh}。`,
  );
}

/** Return the shape of a string that matches a pattern in full. */
function textShape(pattern, lengthMax, en, zh) {
  const compiled = new RegExp(`^(?:${pattern})$`, "u");
  return (value, path) => {
    const isFit = typeof value === "string" && codePoints(value).length <= lengthMax;
    if (!isFit || !compiled.test(value)) throw shapeError(path, value, en, zh);
  };
}

/** Return the shape of a string of which something holds. */
const whereShape = (holds, en, zh) => (value, path) => {
  if (typeof value !== "string" || !holds(value)) throw shapeError(path, value, en, zh);
};

const booleanShape = (value, path) => {
  if (typeof value !== "boolean") throw shapeError(path, value, "true or false", " true 或 false");
};

const integerShape = (least = -INTEGER_MAX, most = INTEGER_MAX) => (value, path) => {
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    const bounds = `${least} .. ${most}`;
    throw shapeError(path, value, `an integer in ${bounds}`, ` ${bounds} 内的整数`);
  }
};

function oneOf(choices) {
  const listed = [...choices].sort().join(" | ");
  return (value, path) => {
    if (typeof value !== "string" || !choices.includes(value)) {
      throw shapeError(path, value, listed, ` ${listed}`);
    }
  };
}

/** Return the shape of one value alone: a string, a number, null, or a list of strings. */
const exactly = (expected) => (value, path) => {
  if (canonicalKind(value) !== canonicalKind(expected)) {
    throw shapeError(path, value, shown(expected), ` ${shown(expected)}`);
  }
};

const canonicalKind = (value) =>
  value === null || ["string", "number", "boolean"].includes(typeof value) || isPlain(value)
    ? canonicalText(value)
    : undefined;
const isPlain = (value) => Array.isArray(value) || value instanceof Map;

const nullable = (shape) => (value, path) => {
  if (value !== null) shape(value, path);
};

/** Return the shape of a list; a set is in strictly rising order. */
const arrayShape = (shape, lengthMax, isSet = false) => (value, path) => {
  if (!Array.isArray(value) || value.length > lengthMax) {
    throw shapeError(path, value, `a list of at most ${lengthMax}`, `最多 ${lengthMax} 项的列表`);
  }
  value.forEach((item, index) => shape(item, `${path}[${index}]`));
  if (isSet && value.some((item, index) => index > 0 && value[index - 1] >= item)) {
    throw shapeError(path, value, "sorted items without repetition", "已排序且不重复的项");
  }
};

/** Return the shape of an object of any names of a pattern with values of one shape. */
function tableShape(pattern, shape, lengthMax) {
  const compiled = new RegExp(`^(?:${pattern})$`, "u");
  return (value, path) => {
    if (!(value instanceof Map) || value.size > lengthMax) {
      const most = `an object of at most ${lengthMax} members`;
      throw shapeError(path, value, most, `最多 ${lengthMax} 个成员的对象`);
    }
    for (const [key, item] of value) {
      if (!compiled.test(key)) {
        throw shapeError(path, key, `names like ${pattern}`, `形如 ${pattern} 的名称`);
      }
      shape(item, `${path}.${shown(key)}`);
    }
  };
}

/** Check that a value is an object with all required and no unknown members. */
function checkMembers(value, path, required, optional) {
  if (!(value instanceof Map)) throw shapeError(path, value, "an object", "对象");
  const known = new Set([...required, ...optional]);
  const unknown = [...value.keys()].filter((name) => !known.has(name)).sort();
  if (unknown.length) {
    const names = [...known].sort().join(", ");
    throw shapeError(path, unknown, `no member besides ${names}`, `仅含成员 ${names}`);
  }
  const missing = required.filter((name) => !value.has(name)).sort();
  if (missing.length) {
    const names = [...value.keys()].sort();
    throw shapeError(path, names, `also ${missing.join(", ")}`, `还含 ${missing.join("、")}`);
  }
}

/** Return the shape of an object with exactly these members; optional ones may be absent. */
function objectShape(required, optional = {}) {
  const shapes = new Map([...Object.entries(required), ...Object.entries(optional)]);
  return (value, path) => {
    checkMembers(value, path, Object.keys(required), Object.keys(optional));
    for (const [name, item] of value) shapes.get(name)(item, path ? `${path}.${name}` : name);
  };
}

const SECONDS_PER_DAY = 86400;

/** Return the day number of a date spelled YYYY-MM-DD, null where there is no such day. */
function dayNumber(text) {
  const found = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (!found || found[1] === "0000") return null;
  const moment = new Date(`${text}T00:00:00Z`);
  const isDay = !Number.isNaN(moment.getTime()) && moment.toISOString().slice(0, 10) === text;
  return isDay ? moment.getTime() / 1000 / SECONDS_PER_DAY : null;
}

/** Return whether a text is an instant in UTC to the second, in its one spelling. */
function isInstant(text) {
  const found = /^([1-9]\d{3}-\d{2}-\d{2})T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/.exec(text);
  return found !== null && dayNumber(found[1]) !== null;
}

const dayOf = (instant) => instant.slice(0, "2026-11-23".length);

/** What a description may ask of a string, by name. */
const STRING_TESTS = {
  instant: isInstant,
  day: (text) => dayNumber(text) !== null,
  issuer: (text) => isIssuerId(text),
  origin: (text) => ORIGIN.test(text),
};

/** Shapes that are programs of their own, by name. */
const PROGRAMS = {
  boolean: booleanShape,
  record: (value) => checkRecordShape(value),
  "toml-day": (value, path) => {
    if (value instanceof TomlDate && !(value instanceof TomlOther)) return;
    throw shapeError(path, value, "a date like 2026-11-23", "形如 2026-11-23 的日期");
  },
};

const COMBINATORS = {
  text: textShape,
  where: (name, en, zh) => whereShape(known(STRING_TESTS, name), en, zh),
  named: (name) => known(PROGRAMS, name),
  integer: integerShape,
  choice: oneOf,
  exactly: (expected) => exactly(documentOf(expected)),
  nullable: (shape) => nullable(shapeOf(shape)),
  array: (shape, lengthMax, isSet) => arrayShape(shapeOf(shape), lengthMax, isSet),
  table: (pattern, shape, lengthMax) => tableShape(pattern, shapeOf(shape), lengthMax),
  object: (required, optional) => objectShape(shapesOf(required), shapesOf(optional)),
};

/** Return what has a name; the page cannot start with a description that it does not understand. */
function known(table, name) {
  if (!Object.hasOwn(table, name)) throw new Error(`unknown: ${name}`);
  return table[name];
}

/** Return a value of JavaScript as documents hold it, with Maps for objects. */
function documentOf(value) {
  if (Array.isArray(value)) return value.map(documentOf);
  if (value === null || typeof value !== "object") return value;
  return new Map(Object.entries(value).map(([name, item]) => [name, documentOf(item)]));
}

/** Return the shape of a description: the name of a combinator, then its arguments. */
const shapeOf = ([name, ...values]) => known(COMBINATORS, name)(...values);

const shapesOf = (members) =>
  Object.fromEntries(Object.entries(members).map(([name, item]) => [name, shapeOf(item)]));
