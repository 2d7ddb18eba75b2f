// The tables of docs/compatibility.md and docs/compatibility.json, made of the golden cases: what passes works, nothing else does.
// `node scripts/compatibility.mjs` writes them; with `--check` it fails if they are out of date. Needs a built golden runner, or with `--outcomes FILE`
// what it wrote by `--json FILE`.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./setup.mjs";

/** Rows: what the runner calls a method → what people do. Methods that are not here are an error. */
const METHODS = {
  LORA: "LoRA",
  "LORA, DoRA": "DoRA",
  "LORA, aLoRA": "aLoRA",
  "LORA, BD-LoRA": "BD-LoRA",
  "LORA, KaSA": "KaSA",
  "LORA, MiCA": "MiCA",
  "LORA, MonteCLoRA": "MonteCLoRA",
  "LORA, QA-LoRA": "QA-LoRA",
  "LORA, VeLoRA": "VeLoRA",
  ADALORA: "AdaLoRA",
  IA3: "(IA)³",
  VERA: "VeRA",
  FOURIERFT: "FourierFT",
  LN_TUNING: "LN tuning",
  TRAINABLE_TOKENS: "trainable tokens",
  LOHA: "LoHa",
  LOKR: "LoKr",
  OFT: "OFT",
  BOFT: "BOFT",
  HRA: "HRA",
  PROMPT_TUNING: "prompt tuning",
  PREFIX_TUNING: "prefix tuning",
  P_TUNING: "P-tuning",
  ADAMSS: "AdaMSS",
  BEFT: "BEFT",
  C3A: "C3A",
  DEFT: "DEFT",
  DELORA: "DeLoRA",
  FROD: "FRoD",
  GLORA: "GLoRA",
  GRALORA: "GraLoRA",
  HIRA: "HiRA",
  MISS: "MiSS",
  OSF: "OSF",
  PEANUT: "PEANUT",
  PSOFT: "PSOFT",
  PVERA: "PVeRA",
  RANDLORA: "RandLoRA",
  ROAD: "RoAd",
  SHIRA: "SHiRA",
  SUPERTUNING: "SuperTuning",
  TINYLORA: "TinyLoRA",
  UNILORA: "Uni-LoRA",
  VBLORA: "VB-LoRA",
  WAVEFT: "WaveFT",
  ADAPTION_PROMPT: "adaption prompt (LLaMA-Adapter)",
  LILY: "Lily",
  POLY: "Poly",
  XLORA: "X-LoRA",
  SHADOW: "ShadowPEFT",
  "LyCORIS locon": "LyCORIS LoCon",
  "LyCORIS locon, DoRA": "LyCORIS LoCon, DoRA",
  "LyCORIS loha": "LyCORIS LoHa",
  "LyCORIS loha, DoRA": "LyCORIS LoHa, DoRA",
  "LyCORIS lokr": "LyCORIS LoKr",
  "LyCORIS lokr, DoRA": "LyCORIS LoKr, DoRA",
  "LyCORIS glora": "LyCORIS GLoRA",
  "LyCORIS dylora": "LyCORIS DyLoRA",
  "LyCORIS tlora": "LyCORIS T-LoRA",
  "LyCORIS ia3": "LyCORIS (IA)³",
  "LyCORIS diag-oft": "LyCORIS diag-OFT",
  "LyCORIS boft": "LyCORIS BOFT",
  "LyCORIS full": "LyCORIS full",
  "LyCORIS norm": "LyCORIS norm",
};

/** Columns: kinds of layer by the runner's names. */
const KINDS = {
  Linear: ["Linear"],
  "Conv1D (`fan_in_fan_out`)": ["Conv1D"],
  "Conv1d, 2d, 3d": ["Conv1d", "Conv2d", "Conv3d"],
  Embedding: ["Embedding"],
  other: ["Norm", "parameter", "Attention", "Block", "a whole model"],
};

/** Letters of what was shown; loading and saving go with a dialect's files. */
const ASPECTS = { forward: "run", train: "train", merge: "merge", save: "save" };

/** What each golden case shows, of a run that is done already or of one of its own. */
function outcomes() {
  const at = process.argv.indexOf("--outcomes");
  if (at >= 0) return JSON.parse(readFileSync(process.argv[at + 1], "utf8"));
  const folder = mkdtempSync(join(tmpdir(), "weft-compatibility-"));
  const file = join(folder, "outcomes.json");
  const ran = spawnSync(process.execPath, [join(root, "tests/golden/dist/run.js"), "--allow-unsupported", "--json", file], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, WEFT_GOLDEN: "", WEFT_BACKEND: "cpu" },
    maxBuffer: 1 << 26,
  });
  process.stderr.write(ran.stderr);
  const cases = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : [];
  rmSync(folder, { recursive: true });
  return cases;
}

// What needs weights from elsewhere is not compared everywhere, and tells nothing that the others do not.
const cases = outcomes().filter(({ external }) => !external);
const failed = cases.filter((c) => c.status === "failed");
if (cases.length === 0 || failed.length > 0) {
  const what = failed.map((c) => `${c.name}: ${c.detail}`).join("\n");
  process.stderr.write(`no table is made of golden cases that ${cases.length === 0 ? "did not run" : "fail"}:\n${what}\n`);
  process.exit(1);
}

/** Method → kind → aspects that a case shows on it, and the cases. */
const grid = new Map(Object.values(METHODS).map((method) => [method, new Map()]));
for (const { name, status, evidence } of cases) {
  if (status !== "passed" || !evidence) continue;
  const row = grid.get(METHODS[evidence.method]);
  if (!row) throw new Error(`no row of the compatibility table is for ${evidence.method} (${name})`);
  for (const [column, kinds] of Object.entries(KINDS)) {
    if (!evidence.kinds.some((kind) => kinds.includes(kind))) continue;
    const cell = row.get(column) ?? { aspects: new Set(), cases: [] };
    for (const aspect of evidence.aspects) cell.aspects.add(aspect);
    cell.cases.push(name);
    row.set(column, cell);
  }
}
const rows = [...grid].filter(([, row]) => row.size > 0);
const cellText = (cell) =>
  !cell
    ? ""
    : Object.keys(ASPECTS).every((a) => cell.aspects.has(a))
      ? "✓"
      : Object.entries(ASPECTS)
          .flatMap(([aspect, text]) => (cell.aspects.has(aspect) ? [text] : []))
          .join(", ");

const suites = ["peft", "variants", "modelwide", "lycoris", "models", "quant"].map((suite) => {
  const own = cases.filter(({ name }) => name.startsWith(`${suite}/`));
  return { suite, passed: own.filter((c) => c.status === "passed").length, cases: own.length };
});
const count = (wanted) => {
  const { passed, cases: all } = suites.find(({ suite }) => suite === wanted);
  return `${passed} of ${all}`;
};
const unsupported = cases.filter((c) => c.status === "unsupported").map(({ name, detail }) => `${name} (${detail})`);
const table = [
  `Golden cases that pass on the CPU backend: ${count("peft")}, ${count("variants")} and ${count("modelwide")} made by PEFT 0.21.2, ${count("lycoris")} by LyCORIS 4.1.3, diffusers and sd-scripts' rules, ${count("models")} by transformers, ${count("quant")} of quantised weights by bitsandbytes, gguf-py, ggml and the published layouts of AWQ and GPTQ${unsupported.length > 0 ? `; not supported yet: ${unsupported.join(", ")}` : ""}.`,
  "A cell says what they show on such layers: ✓ is run, train, merge and save.",
  "",
  `| | ${Object.keys(KINDS).join(" | ")} |`,
  `|---|${"---|".repeat(Object.keys(KINDS).length)}`,
  ...rows.map(
    ([method, row]) =>
      `| ${method} | ${Object.keys(KINDS)
        .map((kind) => cellText(row.get(kind)))
        .join(" | ")} |`,
  ),
].join("\n");
const layers = Object.fromEntries(
  rows.map(([method, row]) => [
    method,
    Object.fromEntries([...row].map(([kind, cell]) => [kind, { shown: [...cell.aspects].sort(), cases: cell.cases }])),
  ]),
);
const data = `${JSON.stringify({ backend: "cpu", suites, layers }, null, 1)}\n`;

const page = join(root, "docs/compatibility.md");
const before = readFileSync(page, "utf8");
const updated = before.replace(
  /(<!-- compatibility:begin -->\n)[^]*?(<!-- compatibility:end -->)/,
  (_, begin, end) => `${begin}\n${table}\n\n${end}`,
);
if (!updated.includes(table))
  throw new Error("docs/compatibility.md has no place for the table: <!-- compatibility:begin --> … <!-- compatibility:end -->");
const target = join(root, "docs/compatibility.json");
if (process.argv.includes("--check")) {
  if (updated !== before || !existsSync(target) || readFileSync(target, "utf8") !== data) {
    process.stdout.write("the compatibility table is out of date: node scripts/compatibility.mjs\n");
    process.exitCode = 1;
  }
} else {
  mkdirSync(join(root, "docs"), { recursive: true });
  writeFileSync(target, data);
  writeFileSync(page, updated);
}
