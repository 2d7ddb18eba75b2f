import { existsSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { GoldenCase, Outcome } from "./case.js";
import { goldenDevice } from "./device.js";
import { everyNth } from "./every-nth.js";
import { lycorisCases } from "./lycoris/index.js";
import { modelCases } from "./models/index.js";
import { peftCases } from "./peft/index.js";
import { quantCases } from "./quant/index.js";

/** Suites by the folder that holds their cases. */
const SUITES: Readonly<Record<string, (root: string) => GoldenCase[]>> = {
  peft: peftCases,
  models: modelCases,
  lycoris: lycorisCases,
  quant: quantCases,
  variants: (root) => peftCases(root, "variants"),
  modelwide: (root) => peftCases(root, "modelwide"),
};

const args = process.argv.slice(2);
const option = (name: string): string | undefined => {
  const at = args.indexOf(name);
  return at < 0 ? undefined : (args.splice(at, 2)[1] ?? "");
};
/** `--json FILE`: the outcomes as a list, for the compatibility table. */
const json = option("--json");
/** `--every N`: of each method's cases only every Nth. */
const every = Number(option("--every") ?? 1);
const allowUnsupported = args.includes("--allow-unsupported");
/** `--bail`: ends with the first failure. */
const bail = args.includes("--bail");
const filters = args.filter((a) => !a.startsWith("--"));
const unknown = args.filter((a) => a.startsWith("--") && a !== "--allow-unsupported" && a !== "--bail");
if (unknown.length > 0) {
  process.stderr.write(`unknown option ${unknown.join(", ")}; known: --allow-unsupported, --bail, --every N, --json FILE\n`);
  process.exit(2);
}
if (!Number.isInteger(every) || every < 1) {
  process.stderr.write("--every: expected a whole number from 1 on\n");
  process.exit(2);
}

const root = resolve(process.env["WEFT_GOLDEN"] || join(fileURLToPath(import.meta.url), "../../../../fixtures"));
const device = await goldenDevice();
process.stdout.write(`golden cases on ${device.name}\n`);

const outcomes: object[] = [];
const total = { passed: 0, failed: 0, unsupported: 0 };
/** Cases that are not supported because their weights are not here. */
let absent = 0;
for (const [suite, discover] of Object.entries(SUITES)) {
  if (!existsSync(join(root, suite))) continue;
  const count = { passed: 0, failed: 0, unsupported: 0 };
  const asked = discover(join(root, suite)).filter(({ name }) => filters.length === 0 || filters.some((f) => name.startsWith(f)));
  for (const golden of everyNth(asked, root, every)) {
    const outcome = await golden.run(device).catch((error: unknown): Outcome => ({
      status: "failed",
      error: Infinity,
      tolerance: 0,
      detail: error instanceof Error ? error.message : String(error),
    }));
    count[outcome.status]++;
    outcomes.push({ name: golden.name, ...(golden.external && { external: true }), ...outcome });
    if (golden.external && outcome.status === "unsupported") absent++;
    const figures =
      outcome.status === "unsupported" ? "" : `  error ${outcome.error.toExponential(1)}  tolerance ${outcome.tolerance.toExponential(0)}`;
    process.stdout.write(`${outcome.status.padEnd(11)} ${golden.name}${figures}  ${outcome.detail}\n`);
    if (bail && outcome.status === "failed") process.exit(1);
  }
  process.stdout.write(`${suite}: ${count.passed} passed, ${count.failed} failed, ${count.unsupported} unsupported\n`);
  for (const key of ["passed", "failed", "unsupported"] as const) total[key] += count[key];
}
if (json) writeFileSync(json, JSON.stringify(outcomes));
process.stdout.write(`total: ${total.passed} passed, ${total.failed} failed, ${total.unsupported} unsupported\n`);
if (total.passed + total.failed + total.unsupported === 0)
  process.stderr.write(`no case in ${root}${filters.length > 0 ? ` begins with ${filters.join(" or ")}` : ""}\n`);
const ok = total.failed === 0 && total.passed + total.unsupported > 0 && (allowUnsupported || total.unsupported === absent);
process.exit(ok ? 0 : 1);
