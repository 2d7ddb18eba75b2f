import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BenchContext } from "../../context.js";
import { assertDone, type ProcessResult, runProcess } from "../../process.js";
import { checkpoint } from "../merge/merge.js";

/** Blocks of the synthetic checkpoint: 22 make 1.1 B parameters. Memory does not depend on them. */
const LAYERS = 22;
const MEMORY_GOAL = 512;
/** Samples that GPTQ is calibrated by, and tokens of one. */
const [SAMPLES, LENGTH] = [64, 64];

/** Time and memory of a model of 1.1 B parameters; `--quick`: of one block of it. */
export async function measureFiles(context: BenchContext): Promise<void> {
  const layers = context.quick ? 1 : LAYERS;
  const { base: original } = await checkpoint(layers, context);
  const base = withTokenizer(original);
  const text = join(base, "calibration.txt");
  writeFileSync(text, Array.from({ length: SAMPLES * LENGTH }, (_, i) => `w${(i * i * 7 + i) % 9973}`).join(" "));
  const out = join(context.folder, "quantize-out");
  const weft = async (args: readonly string[], to: string): Promise<ProcessResult> => {
    rmSync(to, { recursive: true, force: true });
    const program = join(context.root, "apps/cli/dist/weft.js");
    return assertDone(
      `weft quantize ${args.join(" ")}`,
      await runProcess(process.execPath, [program, "quantize", base, ...args, "-o", to, "--quiet"]),
    );
  };
  const name = `Llama of ${layers} blocks, bf16`;
  const memory = ({ peakBytes }: ProcessResult, to: string): void => {
    const value = peakBytes / 2 ** 20;
    const goal = { goal: `≤ ${MEMORY_GOAL} MiB`, met: value <= MEMORY_GOAL };
    context.emit({
      suite: "quantize-model",
      case: `${name}, ${to}`,
      metric: "peak memory",
      value,
      unit: "MiB",
      anchor: null,
      ratio: null,
      ...goal,
    });
  };
  const nf4 = await weft(["--to", "nf4"], out);
  memory(nf4, "NF4");
  await againstBitsandbytes(`${name}, NF4`, base, nf4.seconds, context);
  memory(await weft(["--to", "q4_k_s"], `${out}.gguf`), "Q4_K");
  const gptq = ["--to", "gptq", "--calibration", text, "--samples", `${SAMPLES}`, "--sample-length", `${LENGTH}`];
  memory(await weft(gptq, out), `GPTQ, ${SAMPLES} samples of ${LENGTH} tokens`);
  rmSync(out, { recursive: true, force: true });
  rmSync(`${out}.gguf`, { force: true });
}

/** The checkpoint beside a tokenizer of a few letters, which samples and a GGUF file need. */
function withTokenizer(original: string): string {
  const base = `${original}-with-tokenizer`;
  if (existsSync(join(base, "tokenizer.json"))) return base;
  cpSync(original, base, { recursive: true });
  const vocab = Object.fromEntries(["w", "Ġ", ...Array.from({ length: 10 }, (_, i) => `${i}`)].map((letter, i) => [letter, i]));
  const pieces = { type: "ByteLevel", add_prefix_space: false, use_regex: true };
  const config = JSON.parse(readFileSync(join(base, "config.json"), "utf8")) as object;
  writeFileSync(join(base, "config.json"), JSON.stringify({ max_position_embeddings: 2048, ...config }));
  writeFileSync(join(base, "tokenizer.json"), JSON.stringify({ model: { type: "BPE", vocab, merges: [] }, pre_tokenizer: pieces }));
  return base;
}

/** Wall time of transformers with bitsandbytes, where Python has them. */
async function againstBitsandbytes(name: string, base: string, seconds: number, context: BenchContext): Promise<void> {
  const ours = { suite: "quantize-model", case: `${name}, weft`, metric: "wall time", value: seconds, unit: "s" };
  const python = await context.python();
  const out = join(context.folder, "quantize-bnb");
  const theirs = python && (await runProcess(python.program, [join(context.root, "apps/bench/scripts/quantize_bnb.py"), base, out]));
  rmSync(out, { recursive: true, force: true });
  if (theirs?.status !== 0) {
    context.note(theirs ? `bitsandbytes: ${theirs.stderr.trim().split("\n").at(-1)}` : "no Python: bitsandbytes is left out");
    context.emit({ ...ours, anchor: null, ratio: null });
    return;
  }
  const ratio = theirs.seconds / seconds;
  context.emit({ ...ours, anchor: "transformers with bitsandbytes", ratio, goal: "ratio ≥ 3", met: ratio >= 3 });
}
