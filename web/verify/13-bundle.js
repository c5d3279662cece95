// The content of a bundle, parsed; nothing in it is verified here.
// Source: docs/spec/record-and-log.md, section 6.

const BUNDLE = shapesOf(DESCRIPTION.bundle);

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
  const status = value.get("status");
  return {
    logged: loggedOf(value),
    checkpoint: value.get("checkpoint"),
    disclosures: value.get("disclosures"),
    cosigners: value.get("cosigners"),
    keyEvents: value.get("keyEvents").map(loggedOf),
    status: status && loggedOf(status),
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
