// The page itself. Whatever a file holds reaches the document as text alone, never as markup.

const byId = (id) => document.getElementById(id);
/** Members that tell a reader nothing. */
const UNSHOWN = ["salt", "statusMessages", "encodedList"];
const MARKS = { valid: "✓", not_valid: "✕", not_checked: "–" };

/** Return the storage of the browser, null where it gives none. */
function openStorage() {
  try {
    localStorage.getItem(SEEN_PREFIX);
    return localStorage;
  } catch {
    return null;
  }
}

const storage = openStorage();
const seenNames = () =>
  storage === null ? [] : Object.keys(storage).filter((name) => name.startsWith(SEEN_PREFIX));

const view = {
  language: /^zh/i.test(navigator.language) ? "zh" : "en",
  data: null,
  dataName: "",
  policy: null,
  policyName: "",
  policyCause: null,
  fault: null,
  turn: 0,
};

const say = (text) => text[view.language];

/** Return an element of a class with children, which are elements or texts. */
function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

function paintWords() {
  document.documentElement.lang = view.language === "zh" ? "zh-Hans" : "en";
  document.title = `${say(WORDS.title)} · Carnet`;
  for (const element of document.querySelectorAll("[data-word]")) {
    const parts = say(WORDS[element.dataset.word]).split("`");
    element.replaceChildren(...parts.map((part, i) => (i % 2 ? make("code", "", part) : part)));
  }
  byId("language").lang = view.language === "zh" ? "en" : "zh-Hans";
}

function stepLine(step) {
  const heading = make("p", "what", make("strong", "", say(STEP_TITLES[step.name])), " ");
  heading.append(make("code", "", step.name));
  return make(
    "li",
    step.verdict,
    make("span", "mark", MARKS[step.verdict]),
    make("div", "", heading, make("p", "cause", say(step.cause))),
    make("span", "badge", say(VERDICTS[step.verdict])),
  );
}

function verdictReason(found, required) {
  const text = say(VERDICT_TEXTS[found.verdict]);
  if (found.verdict === "valid") return text;
  const isNamed = (step) =>
    step.verdict === found.verdict && (found.verdict === "not_valid" || required.has(step.name));
  const names = found.steps.filter(isNamed).map((step) => say(STEP_TITLES[step.name]));
  return text + names.join(view.language === "zh" ? "；" : "; ");
}

function fieldText(value) {
  if (typeof value === "boolean") return say(value ? WORDS.yes : WORDS.no);
  if (value instanceof Map && value.has("digest")) {
    return `${value.get("id")} ${value.get("version")}`;
  }
  if (value instanceof Map && value.has("rule")) {
    return `${value.get("rule")} (${value.get("severity")})`;
  }
  if (value instanceof Map) {
    return [...value].map(([name, item]) => `${name} ${fieldText(item)}`).join(", ");
  }
  if (Array.isArray(value)) {
    const hasParts = value.some((item) => item instanceof Map && !item.has("rule"));
    return value.map(fieldText).join(hasParts ? "; " : ", ");
  }
  return String(value);
}

/** Return what a bundle's record states, with the revealed fields, as pairs of name and text. */
function statedFields(data) {
  const { logged, disclosures } = bundleOfJson(parseBundle(data));
  const { document: stated, kind, issuer } = logged.record;
  const fields = reveal(logged.record.subject, disclosures);
  const { title } = logged.record.type;
  const members = new Map([["recordKind", say(title)], ["logKind", kind], ["issuer", issuer]]);
  for (const name of ["validFrom", "validUntil"]) {
    if (stated.has(name)) members.set(name, stated.get(name));
  }
  for (const [name, value] of fields) members.set(name, value);
  const titled = Object.keys(FIELD_TITLES).filter((name) => members.has(name));
  const others = [...members.keys()].filter((name) => !titled.includes(name)).sort();
  return [...titled, ...others]
    .filter((name) => !UNSHOWN.includes(name))
    .map((name) => [name, fieldText(members.get(name))])
    .filter(([, text]) => text);
}

function paintRecord() {
  let fields = [];
  try {
    fields = statedFields(view.data);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
  }
  byId("record").hidden = !fields.length;
  byId("fields").replaceChildren(
    ...fields.flatMap(([name, value]) => [
      make("dt", "", FIELD_TITLES[name] ? say(FIELD_TITLES[name]) : make("code", "", name)),
      make("dd", "", value),
    ]),
  );
}

function paintVerdict(name, title, reason) {
  const box = byId("verdict");
  box.className = name;
  box.replaceChildren(
    make("span", "mark", MARKS[name] ?? "?"),
    make("div", "", make("strong", "", title), make("p", "", reason)),
  );
}

function paintPolicy() {
  const { policy, policyCause, policyName } = view;
  const line = byId("policy-state");
  line.className = `state ${policyCause ? "bad" : policy ? "good" : ""}`;
  byId("remove-policy").hidden = !policy && !policyCause;
  if (policyCause) line.textContent = `${policyName}: ${say(policyCause)}`;
  else if (!policy) line.textContent = say(WORDS.noPolicy);
  else {
    const { issuers, logs, witnesses, quorum } = policy;
    const counts = { issuers: issuers.length, logs: logs.length, witnesses: witnesses.size };
    line.textContent =
      view.language === "zh"
        ? `${policyName}：签发方 ${counts.issuers}，日志 ${counts.logs}，见证者 ${quorum} / ${counts.witnesses}`
        : `${policyName}: issuers ${counts.issuers}, logs ${counts.logs}, witnesses ${quorum} of ${counts.witnesses}`;
  }
}

const today = () => new Date().toISOString().slice(0, 10);

/** Return the policy with the day of the field, which stands above the policy's own. */
function policyOfView() {
  const day = byId("day").value;
  return view.policy && dayNumber(day) !== null ? { ...view.policy, asOf: day } : view.policy;
}

/** Return the name of the bundle and its digest, by which a print can be matched with the file. */
function bundleLine() {
  return [`${view.dataName} `, make("code", "", `SHA-256 ${toHex(sha256(view.data))}`)];
}

function paintMemory() {
  const count = seenNames().length;
  const word = storage === null ? WORDS.noMemory : count ? WORDS.memory : WORDS.emptyMemory;
  byId("memory-state").textContent = say(word).replace("{count}", count);
  byId("forget").hidden = !count;
}

/** Verify and paint; what cannot be compared with what was seen before is not verified at all. */
function paintVerification() {
  const policy = policyOfView();
  const day = byId("day").value;
  try {
    const found = verifyWithMemory(
      view.data,
      policy,
      dayNumber(day) === null ? today() : day,
      storage,
    );
    const required = policy?.required ?? new Set(STEPS.slice(0, STEPS.indexOf("witnesses")));
    byId("steps").replaceChildren(...found.steps.map(stepLine));
    paintRecord();
    paintVerdict(found.verdict, say(VERDICTS[found.verdict]), verdictReason(found, required));
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    byId("result").hidden = true;
    paintVerdict("not_checked", say(VERDICTS.not_checked), say(error.cause));
  }
}

function paintResult() {
  const isShown = view.data !== null && !view.policyCause && !view.fault;
  byId("result").hidden = !isShown;
  byId("bundle-state").replaceChildren(...(isShown ? bundleLine() : [view.dataName]));
  if (view.fault || view.policyCause) {
    paintVerdict("not_checked", say(VERDICTS.not_checked), say(view.fault ?? view.policyCause));
  } else if (!isShown) {
    paintVerdict("waiting", say(WORDS.waiting), say(WORDS.bundleHint));
  } else {
    paintVerification();
  }
}

function paint() {
  paintWords();
  paintPolicy();
  paintResult();
  paintMemory();
}

/** Take some bytes as the bundle; the verdict of the one before is gone at once. */
function takeBundle(data, name) {
  Object.assign(view, { data, dataName: name, fault: null });
  paint();
}

function takePolicy(data, name) {
  Object.assign(view, { policy: null, policyCause: null, policyName: name });
  try {
    view.policy = parsePolicy(data);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    view.policyCause = error.cause;
  }
  paint();
}

/** Read a file, no more of it than can be used, and hand it on unless another came meanwhile. */
async function readFile(file, sizeMax, take) {
  const turn = (view.turn += 1);
  byId("result").hidden = true;
  paintVerdict("waiting", say(WORDS.checking), file.name);
  try {
    const data = new Uint8Array(await file.slice(0, sizeMax + 1).arrayBuffer());
    if (turn === view.turn) take(data, file.name);
  } catch (error) {
    Object.assign(view, { data: null, dataName: file.name, fault: WORDS.empty });
    paint();
  }
}

const isPolicyFile = (file) => /\.toml$/i.test(file.name);

async function takeFiles(files) {
  for (const file of files) {
    if (isPolicyFile(file)) await readFile(file, POLICY_SIZE_MAX, takePolicy);
    else await readFile(file, DOCUMENT_SIZE_MAX, takeBundle);
  }
}

function takeText(text) {
  // What is copied often gains a line end; a canonical document neither starts nor ends in space.
  takeBundle(utf8(text.trim()), say(WORDS.pasteLabel));
}

function onFile(id, sizeMax, take) {
  byId(id).addEventListener("change", async (event) => {
    const [file] = event.target.files;
    if (file) await readFile(file, sizeMax, take);
    event.target.value = "";
  });
}

function start() {
  onFile("bundle-file", DOCUMENT_SIZE_MAX, takeBundle);
  onFile("policy-file", POLICY_SIZE_MAX, takePolicy);
  byId("check-text").addEventListener("click", () => takeText(byId("text").value));
  byId("print").addEventListener("click", () => window.print());
  byId("day").addEventListener("change", paint);
  byId("language").addEventListener("click", () => {
    view.language = view.language === "en" ? "zh" : "en";
    paint();
  });
  byId("remove-policy").addEventListener("click", () => {
    Object.assign(view, { policy: null, policyCause: null, policyName: "" });
    paint();
    byId("policy-file").focus();
  });
  byId("forget").addEventListener("click", () => {
    for (const name of seenNames()) storage.removeItem(name);
    byId("policy-file").focus();
    paint();
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dragging");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    takeFiles([...event.dataTransfer.files]);
  });
  document.addEventListener("paste", (event) => {
    const isField = /^(INPUT|TEXTAREA)$/.test(event.target.tagName);
    const text = event.clipboardData.getData("text");
    if (!isField && text) takeText(text);
  });
  const wanted = /[?#&]lang=(en|zh)/.exec(location.href);
  if (wanted) view.language = wanted[1];
  paint();
}

start();

globalThis.carnetVerify = Object.freeze({
  canonical,
  checkPublicKey,
  disclosureDigest,
  fromHex,
  fromMultibase,
  hashData,
  keyOfMultibase,
  parseCheckpoint,
  parseNote,
  parsePolicy,
  parseStrict,
  parseVerifierKey,
  sha256,
  sha512,
  signaturesOf,
  toHex,
  utf8,
  verifyBundle,
  verifyConsistency,
  verifyInclusion,
  verifyNote,
  verifyProof,
  verifySignature,
  verifyWithMemory,
});
