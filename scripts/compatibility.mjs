// The compatibility table of README.md and docs/compatibility.json, made of the golden cases: what passes is supported, by nothing else.
// `node scripts/compatibility.mjs` writes them; with `--check` it fails if they are out of date. Needs a built golden runner.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./setup.mjs";

/** What a case of the PEFT suite shows, by the beginning of its name; the first that fits. */
const ROWS = [
  ["lora_dora", "DoRA"],
  ["lora_", "LoRA"],
  ["llama_lora", "LoRA"],
  ["llama_dora", "DoRA"],
  ["llama_embed", "LoRA"],
  ["llama_alora", "aLoRA"],
  ["target_matching", "choice of modules"],
  ["adalora", "AdaLoRA"],
  ["ia3", "IA³"],
  ["loha", "LoHa"],
  ["lokr", "LoKr"],
  ["oft", "OFT"],
  ["boft", "BOFT"],
  ["vera", "VeRA"],
  ["hra", "HRA"],
  ["fourierft", "FourierFT"],
  ["trainable_tokens", "trainable tokens"],
  ["llama_ln_tuning", "LN tuning"],
  ["llama_prompt", "prompt tuning"],
  ["llama_prefix", "prefix tuning"],
  ["llama_p_tuning", "P-tuning"],
  ["weighted", "combining adapters"],
  ["multi_adapter", "several adapters, mixed batch"],
];

const ran = spawnSync(process.execPath, [join(root, "tests/golden/dist/run.js"), "--allow-unsupported", "peft/"], { cwd: root, encoding: "utf8", env: { ...process.env, WEFT_GOLDEN: "", WEFT_BACKEND: "cpu" }, maxBuffer: 1 << 26 });
const methods = new Map();
for (const [, status, name] of ran.stdout.matchAll(/^(passed|failed|unsupported)\s+peft\/(\S+)/gm)) {
  const row = ROWS.find(([prefix]) => name.startsWith(prefix))?.[1] ?? name;
  const entry = methods.get(row) ?? { passed: [], open: [] };
  (status === "passed" ? entry.passed : entry.open).push(name);
  methods.set(row, entry);
}
if (methods.size === 0) throw new Error(`no golden case ran:\n${ran.stdout}${ran.stderr}`);
const sorted = [...methods].sort(([a], [b]) => ROWS.findIndex((r) => r[1] === a) - ROWS.findIndex((r) => r[1] === b));
const label = (name) => name.replace(/^(lora_dora|lora|llama)_?/, "").replaceAll("_", " ") || "linear";
const table = ["| PEFT | golden cases that pass | not yet |", "|---|---|---|", ...sorted.map(([row, { passed, open }]) => `| ${row} | ${passed.length > 0 ? `✓ ${passed.map(label).join(", ")}` : ""} | ${open.length > 0 ? (passed.length > 0 ? open.map(label).join(", ") : `${open.length} cases`) : ""} |`)].join("\n");
const json = `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`;

const readme = readFileSync(join(root, "README.md"), "utf8");
const updated = readme.replace(/(<!-- compatibility:begin -->\n)[^]*?(<!-- compatibility:end -->)/, `$1\n${table}\n\n$2`);
if (process.argv.includes("--check")) {
  let before = "";
  try {
    before = readFileSync(join(root, "docs/compatibility.json"), "utf8");
  } catch {}
  if (updated !== readme || before !== json) {
    process.stdout.write("the compatibility table is out of date: node scripts/compatibility.mjs\n");
    process.exitCode = 1;
  }
} else {
  mkdirSync(join(root, "docs"), { recursive: true });
  writeFileSync(join(root, "docs/compatibility.json"), json);
  writeFileSync(join(root, "README.md"), updated);
}
