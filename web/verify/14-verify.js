// Verification of a bundle, step by step: each step is valid, not valid or not checked, with its
// cause. Nothing says valid because it was not looked at; without a policy, trust is not checked.
// Source: docs/spec/record-and-log.md, section 8; src/carnet/ledger/verify.py.

const UNREAD = ["the bundle could not be read", "验证包无法读取"];
const NO_POLICY = ["no policy was opened: nobody is trusted yet", "未打开策略文件：尚未信任任何一方"];

class Verifier {
  constructor(data, policy, day, readSeen) {
    this.data = data;
    this.readSeen = readSeen;
    this.newest = null;
    this.givenPolicy = policy;
    this.day = day;
    this.parsed = null;
    this.found = null;
    this.notes = new Map();
  }

  get policy() {
    if (!this.givenPolicy) throw new NotChecked(...NO_POLICY);
    return this.givenPolicy;
  }

  get bundle() {
    if (!this.found) throw new NotChecked(...UNREAD);
    return this.found;
  }

  get logged() {
    return this.bundle.logged;
  }

  note(text) {
    if (!this.notes.has(text)) this.notes.set(text, parseCheckpoint(text));
    return this.notes.get(text);
  }

  tree() {
    const text = this.bundle.checkpoint;
    const refusal = new NotChecked("the checkpoint could not be read", "检查点无法读取");
    return reading(() => this.note(text), refusal);
  }

  parse() {
    this.parsed = parseBundle(this.data);
    return [`${this.data.length} bytes`, `${this.data.length} 字节`];
  }

  canonical() {
    if (!this.parsed) throw new NotChecked(...UNREAD);
    if (!isEqual(canonical(this.parsed), this.data)) {
      throw new Refused("The file is not in its canonical spelling.", "文件不是规范写法。");
    }
    return ["the one spelling of this content", "内容的唯一写法"];
  }

  schema() {
    if (!this.parsed) throw new NotChecked(...UNREAD);
    this.found = bundleOfJson(this.parsed);
    return [this.logged.record.kind, this.logged.record.kind];
  }

  get standing() {
    this.stood ??= new Standing(this.bundle, this.policy, (index) => this.treeOf(index));
    return this.stood;
  }

  /** Return the tree that proves an entry: that of the checkpoint where it holds it. */
  treeOf(index) {
    const [newer, tree] = [this.bundle.consistency, this.tree()];
    return !newer || index < tree.size ? tree : this.note(newer.checkpoint);
  }

  issuer() {
    const { record } = this.logged;
    const names = this.standing.names(record);
    const trusted = this.policy.issuers.filter((item) => names.includes(item.id));
    if (!trusted.length) {
      throw new Refused(
        `The policy does not name the issuer ${shown(record.issuer)}.`,
        `策略未列出签发方 ${shown(record.issuer)}。`,
      );
    }
    if (!trusted.some((item) => item.kinds.includes(record.kind))) {
      throw new Refused(
        `The policy does not trust this issuer for ${record.kind}.`,
        `策略不信任该签发方出具 ${record.kind}。`,
      );
    }
    if (trusted.some((item) => item.id === record.issuer)) return [record.issuer, record.issuer];
    const followed = trusted[0].id;
    return [`${record.issuer}, which followed ${followed}`, `${record.issuer}，承接 ${followed}`];
  }

  key() {
    return this.standing.checkKey(this.logged);
  }

  signature() {
    const { record } = this.logged;
    verifyProof(record.document, signingKey(record));
    return ["Ed25519, eddsa-jcs-2022", "Ed25519，eddsa-jcs-2022"];
  }

  disclosures() {
    const [{ record }, texts] = [this.logged, this.bundle.disclosures];
    const fields = reveal(record.subject, texts);
    checkDisclosed(record.type, fields);
    const withheld = (record.subject.get("_sd") ?? []).length - texts.length;
    return [
      `${texts.length} revealed, ${withheld} withheld`,
      `披露 ${texts.length} 项，隐藏 ${withheld} 项`,
    ];
  }

  inclusion() {
    checkIncluded(this.logged, this.tree());
    const [{ index }, { size }] = [this.logged, this.tree()];
    return [`entry ${index} of ${size}`, `第 ${index} 个条目，共 ${size} 个`];
  }

  checkLog(signed, origin) {
    const keys = this.policy.logs.filter((key) => key.name === origin);
    if (!keys.length) {
      throw new Refused(
        `The policy does not name the log ${shown(origin)}.`,
        `策略未列出日志 ${shown(origin)}。`,
      );
    }
    // Around a change of its key a log signs with both: every line that is there must hold.
    const present = keys.filter((key) => signaturesOf(signed.note, key).length);
    for (const key of present.length ? present : keys) verifyCheckpoint(signed, key);
  }

  checkpoint() {
    const signed = this.note(this.bundle.checkpoint);
    this.checkLog(signed, signed.origin);
    return [`${signed.origin}, size ${signed.size}`, `${signed.origin}，大小 ${signed.size}`];
  }

  witnesses() {
    const signed = [this.tree()];
    const { policy } = this;
    // The bundle names all of them, trusted or not, so that no line can be put in or left out.
    const named = new Map(
      this.bundle.cosigners.map(parseVerifierKey).map((key) => [key.toText(), key]),
    );
    if (this.bundle.consistency) signed.push(this.note(this.bundle.consistency.checkpoint));
    const seen = new Set(signed.flatMap((item) => this.checkSigners(item, [...named.values()])));
    if ([...named.keys()].some((name) => !seen.has(name))) {
      throw new Refused("A named cosigner did not sign.", "所列联署方没有签名。");
    }
    const count = [...seen].filter((name) => policy.witnesses.has(name)).length;
    if (count < policy.quorum) {
      throw new Refused(
        `${count} trusted witnesses cosigned, the policy asks for ${policy.quorum}.`,
        `受信任的见证者有 ${count} 个联署，策略要求 ${policy.quorum} 个。`,
      );
    }
    if (policy.quorum === 0) throw new NotChecked("the policy asks for no witness", "策略未要求见证者");
    return [`${count} of ${policy.quorum}`, `${count} / ${policy.quorum}`];
  }

  /** Return the witnesses that signed a note, none of whose lines may be left unexplained. */
  checkSigners(signed, named) {
    const logs = this.policy.logs.filter((key) => key.name === signed.origin);
    const cosigners = named.filter(
      (key) => key.type === NOTE_COSIGNATURE && signaturesOf(signed.note, key).length,
    );
    for (const key of cosigners) verifyCosignature(signed, key);
    const explained = [...logs, ...cosigners];
    for (const line of signed.note.signatures) {
      if (!explained.some((key) => key.name === line.name && key.keyId === line.keyId)) {
        throw new Refused(
          `The bundle does not name the key of the signature by ${shown(line.name)}.`,
          `验证包未列出 ${shown(line.name)} 签名所用的密钥。`,
        );
      }
    }
    return cosigners.map((key) => key.toText());
  }

  consistency() {
    const [newer, trees] = [this.bundle.consistency, [this.tree()]];
    const [older] = trees;
    if (newer) {
      trees.push(this.note(newer.checkpoint));
      this.checkLog(trees[1], older.origin);
    }
    const head = trees[trees.length - 1];
    if (newer) verifyConsistency(older.size, head.size, newer.proof, older.root, head.root);
    const seen = this.readSeen ? this.readSeen(older.origin) : null;
    if (seen === null) {
      this.newest = head;
      if (newer) return [`size ${older.size} within ${head.size}`, `大小 ${older.size} 是 ${head.size} 的前缀`];
      throw new NotChecked("there is no other checkpoint to compare with", "没有可比较的其他检查点");
    }
    const said = compareWithSeen(seen, trees);
    this.newest = seen.size > head.size ? seen : head;
    return said;
  }

  status() {
    this.listing = readListing(this.standing);
    const { value, status } = this.listing;
    if (value === STATUS_REVOKED) {
      throw new Refused(
        `The record is revoked: list at log entry ${status.index}.`,
        `该记录已被撤销：日志条目 ${status.index} 处的列表。`,
      );
    }
    return checkFresh(this.listing, this.day);
  }

  supersession() {
    const [{ kind }, { listing }] = [this.logged.record, this];
    if (!listing || listing.value === STATUS_REVOKED) {
      throw new NotChecked(
        `without a status list nothing shows that no later ${kind} replaces this one`,
        `没有状态列表，无法表明没有后续的 ${kind} 取代本记录`,
      );
    }
    if (listing.value === STATUS_SUPERSEDED) {
      throw new Refused(
        `A later record replaces this one: list at log entry ${listing.status.index}.`,
        `已有后续记录取代本记录：日志条目 ${listing.status.index} 处的列表。`,
      );
    }
    return checkFresh(listing, this.day);
  }

  validity() {
    const { document } = this.logged.record;
    const start = dayOf(document.get("validFrom"));
    const until = document.has("validUntil") ? dayOf(document.get("validUntil")) : null;
    if (this.day < start) {
      throw new Refused(
        `The record is valid from ${start}, the day is ${this.day}.`,
        `记录自 ${start} 起有效，而判断日期为 ${this.day}。`,
      );
    }
    if (until !== null && this.day > until) {
      throw new Refused(
        `The record was valid until ${until}, the day is ${this.day}.`,
        `记录的有效期至 ${until}，而判断日期为 ${this.day}。`,
      );
    }
    const last = until ?? "...";
    return [
      `${start} to ${last}, judged on ${this.day}`,
      `${start} 至 ${last}，判断日期 ${this.day}`,
    ];
  }

  anchor() {
    const found = this.bundle.anchor;
    if (!found) throw new NotChecked("the bundle names no anchor", "验证包没有指明锚定");
    if (!this.policy.anchors.has(`${found.chainId} ${found.contract}`)) {
      throw new Refused(
        `The policy does not name ${found.contract} on chain ${found.chainId}.`,
        `策略未列出链 ${found.chainId} 上的登记合约 ${found.contract}。`,
      );
    }
    this.checkAnchored(found);
    throw new NotChecked(
      "no chain was read (offline, or no node named)",
      "未读取链（离线，或未指定节点）",
    );
  }

  checkAnchored(found) {
    const trees = [this.tree()];
    if (this.bundle.consistency) trees.push(this.note(this.bundle.consistency.checkpoint));
    if (found.originHash !== toHex(sha256(utf8(trees[0].origin)))) {
      throw new Refused("The anchor is of another log.", "锚定属于其他日志。");
    }
    if (!trees.some((tree) => tree.size === found.size)) {
      throw new Refused(
        `The bundle has no checkpoint of the anchored size ${found.size}.`,
        `验证包没有锚定大小 ${found.size} 的检查点。`,
      );
    }
  }
}

function runStep(verifier, name) {
  try {
    const [en, zh] = verifier[name]();
    return { name, verdict: "valid", cause: { en, zh } };
  } catch (error) {
    if (error instanceof Refused) return { name, verdict: "not_valid", cause: error.cause };
    if (error instanceof NotChecked) return { name, verdict: "not_checked", cause: error.cause };
    if (error instanceof Unusable) throw error;
    // A fault of the page itself: whatever it is, a verdict comes out, and it is not valid.
    const detail = String(error);
    const cause = { en: `the page failed (${detail})`, zh: `页面出错（${detail}）` };
    return { name, verdict: "not_checked", cause };
  }
}

/**
 * Return what a bundle proves under a policy.
 *
 * @param {Uint8Array} data The bytes of the file, from anyone.
 * @param {object|null} policy From parsePolicy; null where the reader has opened none.
 * @param {string} today The UTC day at which validity is judged, unless the policy names one.
 * @param {Function|null} readSeen Gives the newest checkpoint seen of an origin, null where none
 *   was; null to remember nothing.
 */
function verifyBundle(data, policy, today, readSeen = null) {
  const verifier = new Verifier(data, policy, policy?.asOf ?? today, readSeen);
  const steps = STEPS.map((name) => runStep(verifier, name));
  const required = policy?.required ?? new Set(STEPS.slice(0, STEPS.indexOf("witnesses")));
  const isOpen = steps.some((step) => required.has(step.name) && step.verdict !== "valid");
  const isBroken = steps.some((step) => step.verdict === "not_valid");
  const isFaulty = steps.some((step) => step.cause.en.startsWith("the page failed"));
  const verdict = isBroken ? "not_valid" : isOpen || isFaulty ? "not_checked" : "valid";
  // What is now known to be of one history with what was seen, as the note that says so.
  const newest = verdict === "not_valid" ? null : textOf(verifier.newest);
  return { verdict, steps, newest };
}

/** Return what a bundle proves, compared with what a store has seen, which is moved on. */
function verifyWithMemory(data, policy, today, storage) {
  if (storage === null || policy === null) return verifyBundle(data, policy, today);
  const store = new SeenStore(storage, policy.logs);
  for (;;) {
    let before = null;
    const found = verifyBundle(data, policy, today, (origin) => (before = store.read(origin)));
    // Another page may have moved the memory meanwhile; what was compared is then compared again.
    if (found.newest === null || store.advance(before, parseCheckpoint(found.newest))) return found;
  }
}
