import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BenchContext } from "../../context.js";
import { NO_SMOLLM2, smollm2 } from "../../peers/smollm2.js";
import { assertDone, runProcess } from "../../process.js";

/** A format, and its name among the results. */
interface Row {
  readonly name: string;
  readonly args: readonly string[];
  /** Also by samples, which is to be better. */
  readonly calibrated?: boolean;
}

const ROWS: readonly Row[] = [
  { name: "NF4", args: ["--to", "nf4"] },
  { name: "int8", args: ["--to", "int8"] },
  { name: "GPTQ", args: ["--to", "gptq", "--group-size", "64"], calibrated: true },
  { name: "AWQ", args: ["--to", "awq", "--group-size", "64"], calibrated: true },
  { name: "Q8_0", args: ["--to", "q8_0"] },
  { name: "Q4_K_M", args: ["--to", "q4_k_m"], calibrated: true },
  { name: "Q2_K", args: ["--to", "q2_k"], calibrated: true },
];

/** What calibrates and what is measured: pages of the project, other ones. */
const TEXTS = {
  calibration: ["training.md", "serving.md", "data.md", "browser.md"],
  measured: ["merging.md", "adding-a-model.md"],
} as const;
/** Characters that are measured, some 1,500 tokens. */
const MEASURED = 6000;

/** Perplexity of the real SmolLM2-135M in each format on a text, rounded to the nearest and by samples. */
export async function measurePerplexity(context: BenchContext): Promise<void> {
  const file = smollm2(context.root);
  if (!file) return context.note(NO_SMOLLM2);
  const folder = mkdtempSync(join(tmpdir(), "weft-perplexity-"));
  try {
    const textOf = (names: readonly string[]): string =>
      names.map((name) => readFileSync(join(context.root, "docs", name), "utf8")).join("\n\n");
    const [calibration, measured] = [join(folder, "calibration.txt"), join(folder, "measured.txt")];
    writeFileSync(calibration, textOf(TEXTS.calibration));
    writeFileSync(measured, textOf(TEXTS.measured).slice(0, context.quick ? MEASURED / 10 : MEASURED));
    const weft = async (...args: string[]): Promise<string> =>
      assertDone(`weft ${args.join(" ")}`, await runProcess(process.execPath, [join(context.root, "apps/cli/dist/weft.js"), ...args]))
        .stdout;
    const perplexity = async (model: string): Promise<number> => {
      const line = (await weft("eval", "-m", model, measured, "--device", "cpu", "--json")).trim().split("\n").at(-1)!;
      return (JSON.parse(line) as { readonly perplexity: number }).perplexity;
    };
    const base = join(folder, "base");
    await weft("convert", file, "--dtype", "bf16", "-o", base);
    const before = await perplexity(base);
    const emit = (name: string, value: number, anchor: string, against: number, judged: { goal?: string; met?: boolean } = {}): void =>
      context.emit({
        suite: "quantize-model",
        case: `SmolLM2-135M, ${name}`,
        metric: "perplexity",
        value,
        unit: "",
        anchor,
        ratio: against / value,
        ...judged,
      });
    emit("bf16", before, "bf16", before);
    const samples = ["--calibration", calibration, "--samples", context.quick ? "2" : "32", "--sample-length", "128"];
    for (const { name, args, calibrated } of ROWS) {
      const gguf = name.startsWith("Q");
      const run = async (more: readonly string[]): Promise<number> => {
        const out = join(folder, gguf ? "out.gguf" : "out");
        rmSync(out, { recursive: true, force: true });
        await weft("quantize", base, ...args, ...more, "-o", out);
        return perplexity(out);
      };
      const nearest = await run([]);
      emit(name, nearest, "bf16", before);
      if (!calibrated) continue;
      const searched = await run(samples);
      emit(`${name}, calibrated`, searched, `${name} to the nearest`, nearest, { goal: "ratio > 1", met: searched < nearest });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
