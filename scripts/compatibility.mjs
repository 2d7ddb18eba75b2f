// The compatibility tables of README.md and docs/compatibility.json, made of the golden cases: what passes works, nothing else does.
// `node scripts/compatibility.mjs` writes them; with `--check` it fails if they are out of date. Needs a built golden runner.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./setup.mjs";

const METHODS = {
  LORA: "LoRA",
  ADALORA: "AdaLoRA",
  IA3: "IA³",
  LOHA: "LoHa",
  LOKR: "LoKr",
  OFT: "OFT",
  BOFT: "BOFT",
  VERA: "VeRA",
  HRA: "HRA",
  FOURIERFT: "FourierFT",
};
const KINDS = {
  Linear: "Linear",
  Conv1D: "Conv1D (`fan_in_fan_out`)",
  Embedding: "Embedding",
  Conv1d: "Conv1d",
  Conv2d: "Conv2d",
  Conv3d: "Conv3d",
  parameter: "`target_parameters`",
};

/** What a config of LoRA asks for besides the method itself; a case may show several. */
const FEATURES = [
  ["rsLoRA", (c) => c.use_rslora],
  ['`bias: "all"`', (c) => c.bias === "all"],
  ['`bias: "lora_only"`', (c) => c.bias === "lora_only"],
  ["`lora_bias`", (c) => c.lora_bias],
  ["`rank_pattern`, `alpha_pattern`", (c) => Object.keys(c.rank_pattern ?? {}).length > 0],
  ["`modules_to_save`", (c) => c.modules_to_save?.length > 0],
  ["`trainable_token_indices`", (c) => c.trainable_token_indices && c.peft_type === "LORA"],
  ["PiSSA initialisation", (c) => String(c.init_lora_weights).startsWith("pissa")],
  ["OLoRA initialisation", (c) => c.init_lora_weights === "olora"],
  ["bf16 base, bf16 adapter", (c, meta) => meta.dtype === "bf16" && meta.case.endsWith("adapter_bf16")],
  ["bf16 base, f32 adapter", (c, meta) => meta.dtype === "bf16" && meta.case.endsWith("adapter_f32")],
  ["bf16 base, DoRA", (c, meta) => meta.dtype === "bf16" && c.use_dora],
  ["f16 base, f32 adapter", (c, meta) => meta.dtype === "f16"],
  ["a whole Llama", (c, meta) => meta.base === "llama_base"],
];

/** Cases outside the grid of methods and layers. */
const OTHERS = [
  ["choice of modules (`target_modules`, `exclude_modules`, `layers_to_transform` …)", (name) => name === "target_matching"],
  ["aLoRA", (name, c) => c.alora_invocation_tokens],
  ["AdaLoRA's choice of ranks while it trains", (name) => name === "adalora_trace"],
  ["trainable tokens alone", (name, c) => c.peft_type === "TRAINABLE_TOKENS"],
  ["LN tuning", (name, c) => c.peft_type === "LN_TUNING"],
  ["prompt tuning", (name, c) => c.peft_type === "PROMPT_TUNING"],
  ["prefix tuning", (name, c) => c.peft_type === "PREFIX_TUNING"],
  ["P-tuning", (name, c) => c.peft_type === "P_TUNING"],
  ["combining adapters (`add_weighted_adapter`)", (name) => name.startsWith("weighted_")],
  ["several adapters in one batch", (name) => name === "multi_adapter"],
];

const fixtures = join(root, "fixtures/peft");
const json = (...path) => (existsSync(join(fixtures, ...path)) ? JSON.parse(readFileSync(join(fixtures, ...path), "utf8")) : {});

/** The kinds of layer that an adapter of a case is on. */
function kindsOf(config, meta) {
  if (config.target_parameters) return ["parameter"];
  const targets = config.target_modules;
  const hit = (layer) =>
    typeof targets === "string" ? new RegExp(`^(?:${targets})$`).test(layer) : targets?.some((t) => layer === t || layer.endsWith(`.${t}`));
  if (meta.base === "llama_base")
    return [...new Set((Array.isArray(targets) ? targets : []).map((t) => (t.endsWith("embed_tokens") ? "Embedding" : "Linear")))];
  return [
    ...new Set(
      Object.entries(meta.layers ?? {})
        .filter(([layer]) => hit(layer))
        .map(([, { type }]) => type),
    ),
  ];
}

const ran = spawnSync(process.execPath, [join(root, "tests/golden/dist/run.js"), "--allow-unsupported", "peft/"], {
  cwd: root,
  encoding: "utf8",
  env: { ...process.env, WEFT_GOLDEN: "", WEFT_BACKEND: "cpu" },
  maxBuffer: 1 << 26,
});
const cases = [...ran.stdout.matchAll(/^(passed|failed|unsupported)\s+peft\/(\S+)/gm)].map(([line, status, name]) => ({
  line,
  status,
  name,
  config: json(name, "adapter_config.json"),
  meta: json(name, "case.json"),
}));
const failed = cases.filter((c) => c.status === "failed");
if (cases.length === 0 || failed.length > 0 || ran.status !== 0) {
  process.stderr.write(
    `no table is made of golden cases that ${cases.length === 0 ? "did not run" : "fail"}:\n${failed.map((c) => c.line).join("\n")}\n${ran.stderr}`,
  );
  process.exit(1);
}

const grid = {};
const features = {};
const others = {};
const unplaced = [];
const put = (table, row, { status, name }) =>
  (table[row] ??= { works: [], "not yet": [] })[status === "passed" ? "works" : "not yet"].push(name);
for (const c of cases) {
  const { name, config, meta } = c;
  const other = OTHERS.find(([, test]) => test(name, config));
  if (other) put(others, other[0], c);
  else if (!METHODS[config.peft_type] || kindsOf(config, meta).length === 0) unplaced.push(name);
  else for (const kind of kindsOf(config, meta)) put((grid[config.use_dora ? "DoRA" : METHODS[config.peft_type]] ??= {}), kind, c);
  if (config.peft_type === "LORA" && !other) for (const [feature, test] of FEATURES) if (test(config, meta)) put(features, feature, c);
}
// A case that no row shows would make the table say less than the tests do, or hide what does not work.
if (unplaced.length > 0) throw new Error(`no row of the compatibility table is for ${unplaced.join(", ")}`);

/** What a cell says: it works only if every one of its cases passes. */
const mark = (cell) =>
  !cell
    ? "–"
    : cell["not yet"].length === 0
      ? "✓"
      : cell.works.length === 0
        ? "not yet"
        : `${cell.works.length} of ${cell.works.length + cell["not yet"].length}`;
const order = (table, keys) => Object.fromEntries(keys.filter((key) => table[key]).map((key) => [key, table[key]]));
const rows = order(grid, ["LoRA", "DoRA", ...Object.values(METHODS).slice(1)]);
const lists = {
  features: order(
    features,
    FEATURES.map(([f]) => f),
  ),
  others: order(
    others,
    OTHERS.map(([o]) => o),
  ),
};
const of = (list, works) => Object.entries(list).filter(([, cell]) => (cell["not yet"].length === 0) === works);
const passed = cases.filter((c) => c.status === "passed").length;
const { peft, torch } = cases.find((c) => c.meta.peft).meta;
const table = [
  `${passed} of ${cases.length} golden cases that PEFT ${peft} made on torch ${torch} pass on the CPU backend; the others are not supported yet. ✓: every case passes; –: there is no case.`,
  "",
  `| | ${Object.values(KINDS).join(" | ")} |`,
  `|---|${"---|".repeat(Object.keys(KINDS).length)}`,
  ...Object.entries(rows).map(
    ([method, cells]) =>
      `| ${method} | ${Object.keys(KINDS)
        .map((kind) => mark(cells[kind]))
        .join(" | ")} |`,
  ),
  "",
  "| | works | not yet |",
  "|---|---|---|",
  ...[
    ["of LoRA", lists.features],
    ["besides", lists.others],
  ].map(
    ([title, list]) =>
      `| ${title} | ${of(list, true)
        .map(([name]) => name)
        .join(" · ")} | ${of(list, false)
        .map(([name]) => name)
        .join(" · ")} |`,
  ),
].join("\n");
const data = `${JSON.stringify({ peft, torch, backend: "cpu", passed, cases: cases.length, layers: rows, ...lists }, null, 2)}\n`;

const readme = readFileSync(join(root, "README.md"), "utf8");
const updated = readme.replace(
  /(<!-- compatibility:begin -->\n)[^]*?(<!-- compatibility:end -->)/,
  (_, begin, end) => `${begin}\n${table}\n\n${end}`,
);
if (!updated.includes(table))
  throw new Error("README.md has no place for the table: <!-- compatibility:begin --> … <!-- compatibility:end -->");
const file = join(root, "docs/compatibility.json");
if (process.argv.includes("--check")) {
  if (updated !== readme || !existsSync(file) || readFileSync(file, "utf8") !== data) {
    process.stdout.write("the compatibility table is out of date: node scripts/compatibility.mjs\n");
    process.exitCode = 1;
  }
} else {
  mkdirSync(join(root, "docs"), { recursive: true });
  writeFileSync(file, data);
  writeFileSync(join(root, "README.md"), updated);
}
