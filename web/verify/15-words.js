// What the page says, in both languages.

const WORDS = {
  title: { en: "Verify a bundle", zh: "核验验证包" },
  lead: {
    en: "Your browser checks the file, step by step. Nothing leaves this page: no network, no account, no trust in whoever sent the file.",
    zh: "由您的浏览器逐步核验文件。任何内容都不会离开本页：无需网络、无需账户，也无需信任文件的发送方。",
  },
  bundle: { en: "Bundle", zh: "验证包" },
  bundleHint: { en: "Drop the file anywhere on this page", zh: "将文件拖放到本页任意位置" },
  openBundle: { en: "Open a bundle", zh: "打开验证包" },
  paste: { en: "Paste the text instead", zh: "改为粘贴文本" },
  pasteLabel: { en: "Text of the bundle", zh: "验证包的文本" },
  check: { en: "Verify", zh: "核验" },
  policy: { en: "Your policy", zh: "您的策略" },
  policyHint: {
    en: "Whom you trust: a file of your own, never one that came with the bundle",
    zh: "您信任谁：应为您自己的文件，不可使用随验证包一同收到的文件",
  },
  openPolicy: { en: "Open a policy", zh: "打开策略文件" },
  removePolicy: { en: "Remove", zh: "移除" },
  noPolicy: {
    en: "None yet. Without it signatures are checked, but nobody is trusted.",
    zh: "尚未打开。没有策略时仅核验签名，不信任任何一方。",
  },
  day: { en: "Judge validity on (UTC)", zh: "判断有效期的日期（UTC）" },
  dayHint: {
    en: "Empty: the day that the policy names, else today",
    zh: "留空：采用策略文件中的日期，否则为今天",
  },
  steps: { en: "Steps", zh: "步骤" },
  record: { en: "What the record states", zh: "记录的内容" },
  recordHint: {
    en: "It holds as far as the steps above say so, no further.",
    zh: "其可信程度以上述各步骤的结论为限。",
  },
  waiting: { en: "No bundle opened yet", zh: "尚未打开验证包" },
  checking: { en: "Checking…", zh: "核验中……" },
  print: { en: "Print", zh: "打印" },
  other: { en: "中文", zh: "English" },
  empty: { en: "the file could not be read", zh: "无法读取文件" },
  footer: {
    en: "This page is one file. Save it, compare its SHA-256 with the one that `carnet verify --page -` gives, and open it offline. The chain is not read here: for the anchor use `carnet verify --rpc`.",
    zh: "本页为单个文件。请保存本页，将其 SHA-256 与 `carnet verify --page -` 输出文件的 SHA-256 比对，然后离线打开。本页不读取链；核验锚定请使用 `carnet verify --rpc`。",
  },
};

const VERDICTS = {
  valid: { en: "Valid", zh: "有效" },
  not_valid: { en: "Not valid", zh: "无效" },
  not_checked: { en: "Not checked", zh: "未核验" },
};

const VERDICT_TEXTS = {
  valid: {
    en: "Every step that your policy requires holds.",
    zh: "您的策略要求的每个步骤均成立。",
  },
  not_valid: { en: "Do not rely on this file. Failed: ", zh: "请勿依赖此文件。未通过：" },
  not_checked: {
    en: "Nothing failed, but what is required was not checked: ",
    zh: "没有步骤失败，但下列必需步骤未核验：",
  },
};

// A title names what is looked at and claims nothing: beside it may stand any of the verdicts.
const STEP_TITLES = {
  parse: { en: "Reading the file", zh: "读取文件" },
  canonical: { en: "One spelling", zh: "唯一写法" },
  schema: { en: "Form of a bundle", zh: "验证包格式" },
  issuer: { en: "Trust in the issuer", zh: "对签发方的信任" },
  key: { en: "Key in force at the time", zh: "签名时密钥的效力" },
  signature: { en: "Signature of the record", zh: "记录的签名" },
  disclosures: { en: "Disclosed fields", zh: "披露的字段" },
  inclusion: { en: "Inclusion in the log", zh: "日志包含证明" },
  checkpoint: { en: "Signature of the log", zh: "日志的签名" },
  witnesses: { en: "Witnesses of the log", zh: "日志的见证者" },
  consistency: { en: "History of the log", zh: "日志的历史一致性" },
  status: { en: "Status: revoked or not", zh: "撤销状态" },
  supersession: { en: "Replacement by a later record", zh: "是否被后续记录取代" },
  validity: { en: "Validity on the day", zh: "判断日期的有效性" },
  anchor: { en: "Anchor on the chain", zh: "链上锚定" },
};

/** The members of a record that the page lists, in this order. */
const FIELD_TITLES = {
  kind: { en: "Kind", zh: "种类" },
  conformity: { en: "Conformity", zh: "合规结论" },
  listing: { en: "Listing", zh: "上架商品" },
  seller: { en: "Seller", zh: "卖家" },
  findings: { en: "Findings", zh: "发现项" },
  measures: { en: "Measures", zh: "指标" },
  outputs: { en: "Outputs", zh: "输出" },
  pack: { en: "Rule pack", zh: "规则包" },
  officerConfirmed: { en: "Confirmed by an officer", zh: "经专员确认" },
  event: { en: "Event", zh: "事件" },
  role: { en: "Role", zh: "角色" },
  name: { en: "Name", zh: "名称" },
  asOf: { en: "As of", zh: "判断基准日" },
  validFrom: { en: "Valid from", zh: "生效时间" },
  validUntil: { en: "Valid until", zh: "有效期至" },
  issuer: { en: "Issuer", zh: "签发方" },
  id: { en: "Subject", zh: "主体" },
};
