// The lender's own policy: whom to believe, and what must have been checked.
// Source: docs/spec/record-and-log.md, section 7.

const POLICY_SIZE_MAX = 256 * 1024;
const STEPS = DESCRIPTION.steps;
const POLICY_SHAPE = shapeOf(DESCRIPTION.policy);

function typedKeys(texts, type) {
  const keys = texts.map(parseVerifierKey);
  keys.forEach((key, index) => {
    if (key.type !== type) {
      const kind = type === NOTE_ED25519 ? "a log's" : "a witness's";
      throw shapeError("key", texts[index], `${kind} key type`, "对应类型的密钥");
    }
  });
  return keys;
}

function trustedIssuer(value) {
  const keys = (value.get("keys") ?? []).map((text) => toHex(keyOfMultibase(text)));
  if (value.get("id").startsWith(DID_WEB) && !keys.length) {
    throw shapeError("issuers.keys", [], "the keys of a did:web", "did:web 的密钥");
  }
  return { id: value.get("id"), kinds: value.get("kinds"), keys };
}

/** Check that each witness has a key of its own, whatever the names say. */
function checkIndependent(logs, witnesses) {
  const taken = new Set(logs.map((key) => toHex(key.publicKey)));
  for (const key of witnesses) {
    if (taken.has(toHex(key.publicKey))) {
      throw shapeError(
        "witnesses.keys",
        key.toText(),
        "a key that neither a log nor another witness has",
        "日志及其他见证者均未使用的密钥",
      );
    }
    taken.add(toHex(key.publicKey));
  }
}

function policyOf(value) {
  POLICY_SHAPE(value, "");
  const logs = typedKeys(value.get("logs").map((item) => item.get("key")), NOTE_ED25519);
  logs.forEach((log, index) => {
    const origin = value.get("logs")[index].get("origin");
    if (log.name !== origin) throw shapeError("logs.origin", origin, log.name, ` ${log.name}`);
  });
  const quorum = value.get("witnesses")?.get("quorum") ?? 0;
  const witnesses = typedKeys(value.get("witnesses")?.get("keys") ?? [], NOTE_COSIGNATURE);
  checkIndependent(logs, witnesses);
  if (quorum > witnesses.length) {
    const most = `at most the number of keys, ${witnesses.length}`;
    throw shapeError("witnesses.quorum", quorum, most, "不超过密钥数量");
  }
  return {
    required: new Set(value.get("required")),
    issuers: value.get("issuers").map(trustedIssuer),
    logs,
    anchors: new Set(
      (value.get("anchors") ?? []).map(
        (item) => `${item.get("chain_id")} ${item.get("contract").toLowerCase()}`,
      ),
    ),
    witnesses: new Set(witnesses.map((key) => key.toText())),
    quorum,
    asOf: value.get("validity")?.get("as_of").text ?? null,
  };
}

const policyError = (en, zh) =>
  new Refused(`The policy cannot be used: ${en}`, `无法使用该策略文件：${zh}`);

/** Return the policy of a file's bytes. */
function parsePolicy(bytes) {
  if (bytes.length > POLICY_SIZE_MAX) {
    const size = `${bytes.length} > ${POLICY_SIZE_MAX}`;
    throw policyError(`it is too large (${size} bytes).`, `文件过大（${size} 字节）。`);
  }
  try {
    return policyOf(parseToml(bytes));
  } catch (error) {
    if (error instanceof Refused) throw policyError(error.cause.en, error.cause.zh);
    if (!(error instanceof Malformed || error instanceof RangeError)) throw error;
    const detail = shown(error.message);
    throw policyError(`it is not TOML (${detail}).`, `不是 TOML（${detail}）。`);
  }
}
