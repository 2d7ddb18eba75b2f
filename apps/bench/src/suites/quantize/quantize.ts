import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fourBit, GGUF_TYPES, quantize, type QuantFormat } from "@weft/quant-nf4-awq";
import type { BenchContext, Suite } from "../../context.js";
import type { Python } from "../../peers/python.js";
import { type Contestant, takeTurns, timeCalls } from "../../turns.js";
import { numbers } from "../matmul/product.js";

/** A format, who else writes it, and what is wanted. */
interface Row {
  readonly name: string;
  readonly format: QuantFormat;
  /** The part that the other's result is. */
  readonly part: string;
  readonly anchor?: { readonly name: string; readonly op: string; readonly args: readonly unknown[]; readonly ratio: number };
  /** Most seconds for 4096 × 4096. */
  readonly seconds?: number;
}

const gguf = (type: string): Row["anchor"] => ({ name: "gguf-py", op: "gguf", args: [type], ratio: 1 });
const ROWS: readonly Row[] = [
  { name: "NF4", format: fourBit(), part: "weight", anchor: { name: "bitsandbytes 1 thread", op: "nf4", args: [false], ratio: 4 } },
  {
    name: "NF4, double",
    format: fourBit({ doubleQuant: true }),
    part: "weight",
    anchor: { name: "bitsandbytes 1 thread", op: "nf4", args: [true], ratio: 4 },
  },
  { name: "Q4_0", format: GGUF_TYPES.Q4_0, part: "bytes", anchor: gguf("Q4_0")! },
  { name: "Q8_0", format: GGUF_TYPES.Q8_0, part: "bytes", anchor: gguf("Q8_0")! },
  { name: "Q4_K", format: GGUF_TYPES.Q4_K, part: "bytes", seconds: 1.5 },
  { name: "Q6_K", format: GGUF_TYPES.Q6_K, part: "bytes", seconds: 0.7 },
];

export const quantizeSuite: Suite = {
  name: "quantize",
  summary: "a weight of 4096 × 4096 to four and eight bits, one thread, against bitsandbytes and gguf-py, whose bytes it has",
  async run(context) {
    const folder = mkdtempSync(join(tmpdir(), "weft-bench-"));
    try {
      const size = context.quick ? 256 : 4096;
      const weight = numbers(size * size, 17);
      const python = await context.python();
      if (python) {
        const file = join(folder, "w");
        writeFileSync(file, new Uint8Array(weight.buffer, weight.byteOffset, weight.byteLength));
        await python.call({ cmd: "load", name: "w", file, shape: [size, size], dtype: "f32" });
      }
      for (const row of ROWS.filter(({ name }) => name.includes(context.only)))
        await measure(row, weight, size, { context, folder, python });
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

async function measure(
  { name, format, part, anchor, seconds }: Row,
  weight: Float32Array,
  size: number,
  { context, folder, python }: { readonly context: BenchContext; readonly folder: string; readonly python: Python | undefined },
): Promise<void> {
  const run = (): void => void quantize(weight, [size, size], format);
  const contestants: Contestant[] = [{ name: "weft 1 thread", turn: (time) => timeCalls(run, time) }];
  if (python && anchor) {
    const call = { op: anchor.op, args: ["$w", ...anchor.args] };
    const theirs = await equalBytes(python, call, join(folder, "theirs"), quantize(weight, [size, size], format).parts[part]!);
    if (theirs)
      contestants.push({
        name: anchor.name,
        turn: async (time) => (await python.call({ cmd: "time", ...call, threads: 1, seconds: time }))["seconds"] as number,
      });
    else context.note(`${name}: ${anchor.name} is not installed in Python`);
  }
  const times = await takeTurns(contestants, { rounds: context.rounds, seconds: context.quick ? 0.02 : 0.3 });
  for (const [who, { best, spread, rounds }] of times) {
    const ours = who === "weft 1 thread";
    const against = ours && anchor && times.get(anchor.name);
    const goal = !ours
      ? {}
      : seconds !== undefined
        ? { goal: `≤ ${seconds} s`, met: best <= seconds }
        : against
          ? { goal: `≥ ${anchor.ratio}×`, met: against.best / best >= anchor.ratio }
          : {};
    context.emit({
      suite: "quantize",
      case: `${name}, ${size}×${size}, ${who}`,
      metric: "time",
      value: best,
      unit: "s",
      anchor: against ? anchor.name : null,
      ratio: against ? against.best / best : null,
      spread,
      rounds,
      ...goal,
    });
  }
}

/** Whether the other is there; then its bytes must be ours. */
async function equalBytes(
  python: Python,
  call: { readonly op: string; readonly args: readonly unknown[] },
  file: string,
  ours: Uint8Array,
): Promise<boolean> {
  try {
    await python.call({ cmd: "save", ...call, file, keep: true });
  } catch (error) {
    if ((error as Error).message.includes("ModuleNotFoundError")) return false;
    throw error;
  }
  if (Buffer.compare(readFileSync(file), ours) !== 0)
    throw new Error(`${call.op} ${call.args.slice(1).join(" ")}: the bytes are not the original's`);
  return true;
}
