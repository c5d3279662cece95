// Whether a logged record stands, and what the status list of a bundle says about its record.
// Source: src/carnet/ledger/standing.py and listing.py; docs/spec/record-and-log.md, sections 2, 8, 10.

/** Check that an entry follows from its record, and that a tree holds it. */
function checkIncluded(logged, tree) {
  if (canonicalText(logged.entry) !== canonicalText(entryOf(logged.record))) {
    throw new Refused("The log entry does not follow from the record.", "日志条目与记录不符。");
  }
  const leaf = leafHash(canonical(logged.entry));
  verifyInclusion(leaf, logged.index, tree.size, logged.inclusion, tree.root);
}

function heldAt(place, begun, ended) {
  if (begun === null || begun >= place) {
    throw new Refused(
      "No logged event of a trusted key adds the key that signed, before the record.",
      "在该记录之前，没有由受信任密钥作出的日志事件登记该签名密钥。",
    );
  }
  if (ended !== null && ended < place) {
    throw new Refused(
      `The key that signed was ended by log entry ${ended}, the record is ${place}.`,
      `签名密钥已由日志条目 ${ended} 终止，而该记录位于 ${place}。`,
    );
  }
  if (ended === null) return [`added by log entry ${begun}`, `由日志条目 ${begun} 登记`];
  return [
    `added by log entry ${begun}, ended later by ${ended}`,
    `由日志条目 ${begun} 登记，之后由条目 ${ended} 终止`,
  ];
}

/** The issuers and keys that the records of one bundle stand on. */
class Standing {
  constructor(bundle, policy, treeOf) {
    this.bundle = bundle;
    this.policy = policy;
    this.treeOf = treeOf;
  }

  /** Return a record's issuer and those that it followed by rotation. */
  names(record) {
    return issuersBefore(record.issuer, this.bundle.keyEvents.map((each) => each.record));
  }

  /** Return whom the policy believes for a record. */
  trusted(record) {
    const names = this.names(record);
    return this.policy.issuers.filter(
      (item) => names.includes(item.id) && item.kinds.includes(record.kind),
    );
  }

  /** Return the keys that the policy trusts for a record, in hex. */
  roots(record) {
    const [trusted, names] = [this.trusted(record), this.names(record)];
    const oldest = names[names.length - 1];
    const keyOf = (id) => toHex(keyOfMultibase(id.slice(DID_KEY.length)));
    // Whether the issuer is trusted is for its own step; here its keys still have to agree.
    if (!trusted.length && oldest.startsWith(DID_KEY)) return [keyOf(oldest)];
    const own = trusted.filter((item) => item.id.startsWith(DID_KEY) && !item.keys.length);
    return [...trusted.flatMap((item) => item.keys), ...own.map((item) => keyOf(item.id))];
  }

  /** Check that the key of a record was in force at its place, and say how. */
  checkKey(logged) {
    const [key, roots] = [toHex(signingKey(logged.record)), this.roots(logged.record)];
    if (!this.bundle.keyEvents.length) {
      if (!roots.includes(key)) {
        throw new Refused(
          "The policy names other keys of this issuer.",
          "策略为该签发方列出的是其他密钥。",
        );
      }
      throw new NotChecked(
        "the bundle carries no logged event of the issuer's key",
        "验证包没有签发方密钥的日志事件",
      );
    }
    const state = new KeyState(roots);
    for (const [index, statement] of this.statements()) state.apply(index, statement);
    return heldAt(logged.index, state.begunAt(ISSUER_ROLE, key), state.endedAt(ISSUER_ROLE, key));
  }

  /** Return what the events say, each after checking that it may stand in the bundle. */
  statements() {
    this.checked ??= this.bundle.keyEvents.map((event) => [event.index, this.statement(event)]);
    return this.checked;
  }

  /** Return the records that key events are there for. */
  subjects() {
    const { logged, status } = this.bundle;
    const isFollowed = status && this.names(status.record).includes(logged.record.issuer);
    return isFollowed ? [logged, status] : [logged];
  }

  statement(event) {
    const [{ record, index }, subjects] = [event, this.subjects()];
    if (!subjects.some((each) => this.names(each.record).includes(record.issuer))) {
      throw new Refused(
        "A key event is not by the issuer of the record.",
        "密钥事件不是由记录签发方作出。",
      );
    }
    const statement = statementOf(record);
    const ended = statement.event === REVOKE ? statement.publicKey : statement.previous;
    const isIssuers = statement.role === ISSUER_ROLE;
    const isNeeded = subjects.some(
      (each) => index < each.index || (isIssuers && ended === toHex(signingKey(each.record))),
    );
    if (!isNeeded || subjects.some((each) => index === each.index)) {
      throw new Refused(
        `The key event at ${index} is not before the record.`,
        `位于 ${index} 的密钥事件不早于记录。`,
      );
    }
    checkIncluded(event, this.treeOf(index));
    return statement;
  }
}

/** Return what the status list of a bundle says about its record. */
function readListing(standing) {
  const { logged, status } = standing.bundle;
  const reference = logged.record.statusRef;
  if (reference === null) {
    if (status) {
      throw new Refused(
        "The bundle carries a status list, but the record names none.",
        "验证包附有状态列表，但记录没有指明任何列表。",
      );
    }
    throw new NotChecked("the record names no status list", "记录没有指明状态列表");
  }
  if (!status) throw new NotChecked("the bundle carries no status list", "验证包没有附上状态列表");
  const [urn, index] = reference.split("#");
  if (status.record.kind !== STATUS_LIST || status.record.subject.get("id") !== urn) {
    throw new Refused(
      `The record names the status list ${shown(urn)}, the bundle carries another one.`,
      `记录指明状态列表 ${shown(urn)}，而验证包附有另一份。`,
    );
  }
  checkListStands(standing, status);
  const value = valueAt(decodeList(status.record.subject.get("encodedList")), Number(index));
  if (![STATUS_CURRENT, STATUS_REVOKED, STATUS_SUPERSEDED].includes(value)) {
    throw new Refused(
      "The status list gives the record a status that is not defined.",
      "状态列表为该记录给出了未定义的状态。",
    );
  }
  return { value, status, place: logged.index };
}

function checkListStands(standing, status) {
  const { record } = status;
  if (!standing.names(record).includes(standing.bundle.logged.record.issuer)) {
    throw new Refused(
      `The status list is by ${shown(record.issuer)}, not by the issuer of the record.`,
      `状态列表由 ${shown(record.issuer)} 出具，而不是由记录签发方出具。`,
    );
  }
  if (!standing.trusted(record).length) {
    throw new NotChecked(
      "the policy does not trust this issuer for status-list",
      "策略不信任该签发方出具 status-list",
    );
  }
  try {
    verifyProof(record.document, signingKey(record));
    checkIncluded(status, standing.treeOf(status.index));
    standing.checkKey(status);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    throw new Refused(
      `The status list does not hold: ${error.cause.en}`,
      `状态列表不成立：${error.cause.zh}`,
    );
  }
}

/** Check that a list shows something about a day, and say until when. */
function checkFresh({ status, place }, day) {
  if (status.index < place) {
    throw new NotChecked(
      `the status list at log entry ${status.index} is older than the record`,
      `位于日志条目 ${status.index} 的状态列表早于该记录`,
    );
  }
  const { document } = status.record;
  const until = document.has("validUntil") ? dayOf(document.get("validUntil")) : null;
  if (until === null || day > until) {
    const last = until ?? "...";
    throw new NotChecked(
      `the status list ended on ${last}, the day is ${day}: ask for a newer one`,
      `状态列表已于 ${last} 到期，而判断日期为 ${day}：请索取更新的状态列表`,
    );
  }
  return [
    `list at log entry ${status.index}, valid until ${until}`,
    `日志条目 ${status.index} 处的列表，有效期至 ${until}`,
  ];
}
