// What was seen of each log before: its newest checkpoint, compared with every later one.
// Source: src/carnet/ledger/seen.py, src/carnet/services/seen.py; docs/spec, RL-8.5 to RL-8.8.

const SEEN_PREFIX = "carnet.seen.";

/** Return a signed checkpoint as the note that it came from, null for none. */
const textOf = (signed) => (signed ? noteText(signed.note) : null);

/** What is kept cannot be used; nothing is verified until the reader decides. */
class Unusable extends Error {
  constructor(en, zh) {
    super(en);
    this.cause = {
      en: `What was seen of the log before cannot be used: ${en.replace(/\.+$/, "")}. Forgetting it loses what the log showed.`,
      zh: `此前所见检查点的记录无法使用：${zh.replace(/。+$/, "")}。清除记录将丢失日志此前所示内容。`,
    };
  }
}

/** Check that one tree is a prefix of another; nothing shows it here but one size and one root. */
function provePrefix(first, second) {
  if (first.size === second.size) {
    if (isEqual(first.root, second.root)) return;
    throw new Refused(
      `Fork: this log showed another root of size ${first.size} before.`,
      `分叉：本日志此前对大小 ${first.size} 给出过不同的根。`,
    );
  }
  const [old, next] = [first.size, second.size];
  throw new NotChecked(
    `no proof leads from size ${old} to size ${next}; one of the two was seen before: ask for \`carnet log consistency ${old} ${next}\``,
    `没有从大小 ${old} 到 ${next} 的证明，其中之一是此前见过的检查点：请索取 \`carnet log consistency ${old} ${next}\` 的输出`,
  );
}

/** Check that the trees of a bundle and the one seen are of one history, and say how. */
function compareWithSeen(seen, trees) {
  const newest = trees[trees.length - 1];
  const same = trees.find((tree) => tree.size === seen.size);
  if (same) provePrefix(same, seen);
  else if (seen.size > newest.size) provePrefix(newest, seen);
  else provePrefix(seen, trees.find((tree) => tree.size > seen.size));
  const [old, next] = seen.size < newest.size ? [seen.size, newest.size] : [newest.size, seen.size];
  return [
    `size ${old} within ${next}, size ${seen.size} was seen before`,
    `大小 ${old} 是 ${next} 的前缀，此前见过大小 ${seen.size}`,
  ];
}

/** The newest checkpoints seen of the logs that a policy names, one text for each log key. */
class SeenStore {
  /**
   * @param {Storage} storage Of the browser, or anything with getItem and setItem.
   * @param {object[]} keys The keys of the logs.
   */
  constructor(storage, keys) {
    this.storage = storage;
    this.keys = keys;
  }

  name(key) {
    return SEEN_PREFIX + toHex(sha256(utf8(key.toText())));
  }

  /** Return the newest checkpoint seen of an origin, null where none was. */
  read(origin) {
    const found = this.keys.filter((key) => key.name === origin).map((key) => this.readOne(key));
    return found.reduce(
      (newest, item) => (item && (!newest || item.size > newest.size) ? item : newest),
      null,
    );
  }

  readOne(key) {
    const text = this.storage.getItem(this.name(key));
    if (text === null) return null;
    try {
      const signed = parseCheckpoint(text);
      verifyCheckpoint(signed, key);
      return signed;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      throw new Unusable(error.cause.en, error.cause.zh);
    }
  }

  /** Keep a checkpoint that continues what was read before; return whether that still stands. */
  advance(before, newest) {
    const present = this.read(newest.origin);
    if (textOf(present) !== textOf(before)) return false;
    if (present !== null && present.size >= newest.size) return true;
    for (const key of this.keys) {
      if (key.name === newest.origin && signaturesOf(newest.note, key).length) {
        this.storage.setItem(this.name(key), textOf(newest));
      }
    }
    return true;
  }
}
