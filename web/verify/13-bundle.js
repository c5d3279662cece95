// The content of a bundle, parsed; nothing in it is verified here.
// Source: docs/spec/record-and-log.md, section 6.

const KEY_EVENTS_MAX = 16;
const noteShape = textShape("[^]+", NOTE_SIZE_MAX, "a signed note", "签名注记");
const hashesShape = arrayShape(digestShape, PROOF_LENGTH_MAX);
const LOGGED = {
  record: (value) => checkRecordShape(value),
  entry: ENTRY_SHAPE,
  index: integerShape(0, TREE_SIZE_MAX - 1),
  inclusion: hashesShape,
};
const BUNDLE = {
  v: exactly(1),
  ...LOGGED,
  disclosures: arrayShape(
    textShape("[A-Za-z0-9_-]+", DISCLOSURE_SIZE_MAX, "a disclosure", "披露项"),
    DISCLOSURES_MAX,
  ),
  checkpoint: noteShape,
  cosigners: arrayShape(
    textShape("[!-~]+", 400, "a verifier key", "验证密钥"),
    SIGNATURES_MAX,
    true,
  ),
  keyEvents: arrayShape(objectShape(LOGGED), KEY_EVENTS_MAX),
  consistency: nullable(objectShape({ checkpoint: noteShape, proof: hashesShape })),
  status: exactly(null),
  anchor: nullable(
    objectShape({
      chainId: integerShape(1),
      contract: textShape("0x[0-9a-f]{40}", 42, "0x and 40 hex digits", "0x 加 40 位十六进制"),
      originHash: digestShape,
      size: integerShape(1, TREE_SIZE_MAX),
    }),
  ),
};

/** Return the JSON object of a bundle, in any spelling, with its members still unchecked. */
function parseBundle(bytes) {
  const value = parseStrict(bytes);
  checkMembers(value, "", Object.keys(BUNDLE), []);
  return value;
}

const loggedOf = (value) => ({
  record: recordOf(value.get("record")),
  entry: value.get("entry"),
  index: value.get("index"),
  inclusion: value.get("inclusion").map(fromHex),
});

function bundleOfJson(value) {
  objectShape(BUNDLE)(value, "");
  const places = value.get("keyEvents").map((item) => item.get("index"));
  if (places.some((place, index) => index > 0 && places[index - 1] >= place)) {
    throw shapeError("keyEvents", places, "rising places in the log", "在日志中的位置严格递增");
  }
  const [consistency, anchor] = [value.get("consistency"), value.get("anchor")];
  return {
    logged: loggedOf(value),
    checkpoint: value.get("checkpoint"),
    disclosures: value.get("disclosures"),
    cosigners: value.get("cosigners"),
    keyEvents: value.get("keyEvents").map(loggedOf),
    consistency: consistency && {
      checkpoint: consistency.get("checkpoint"),
      proof: consistency.get("proof").map(fromHex),
    },
    anchor: anchor && {
      chainId: anchor.get("chainId"),
      contract: anchor.get("contract"),
      originHash: anchor.get("originHash"),
      size: anchor.get("size"),
    },
  };
}
