import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fourBit, GGUF_TYPES, type GgufType, quantize, type QuantFormat } from "@weft/quant-nf4-awq";
import type { BenchContext } from "../../context.js";
import { ggmlLibrary } from "../../peers/ggml.js";
import type { Python } from "../../peers/python.js";
import { type Contestant, takeTurns, timeCalls } from "../../turns.js";

/** What is measured, and where. */
export interface Subject {
  readonly weight: Float32Array;
  /** Rows and columns. */
  readonly size: number;
  readonly folder: string;
  /** Has the weight as `w`. */
  readonly python: Python | undefined;
}

/** Somebody else who writes the format: an operation of scripts/torch_server.py. */
interface Anchor {
  readonly name: string;
  readonly op: string;
  /** Behind the weight; undefined where it is not installed. */
  readonly args: (root: string, bytes: number) => readonly unknown[] | undefined;
  /** How many times as fast weft is to be. */
  readonly ratio?: number;
}

/** A format, who else writes it, and what is wanted. */
interface Encoder {
  readonly name: string;
  readonly format: QuantFormat;
  /** The part that the other's result is. */
  readonly part: string;
  readonly anchors: readonly Anchor[];
  /** Most seconds for 4096 × 4096. */
  readonly seconds?: number;
}

const bitsandbytes = (double: boolean): Anchor => ({ name: "bitsandbytes 1 thread", op: "nf4", args: () => [double], ratio: 4 });

const ggml = (type: GgufType, ratio?: number): Anchor => ({
  name: "ggml's C",
  op: "ggml",
  args: (root, bytes) => {
    const library = ggmlLibrary(root);
    return library === undefined ? undefined : [type.replace("Q", "q"), library, bytes];
  },
  ...(ratio !== undefined && { ratio }),
});

const gguf = (name: GgufType, others: readonly Anchor[], more: { readonly seconds?: number } = {}): Encoder => ({
  name,
  format: GGUF_TYPES[name],
  part: "bytes",
  anchors: others,
  ...more,
});

const python = (type: GgufType): Anchor => ({ name: "gguf-py", op: "gguf", args: () => [type], ratio: 1 });

export const ENCODERS: readonly Encoder[] = [
  { name: "NF4", format: fourBit(), part: "weight", anchors: [bitsandbytes(false)] },
  { name: "NF4, double", format: fourBit({ doubleQuant: true }), part: "weight", anchors: [bitsandbytes(true)] },
  gguf("Q4_0", [python("Q4_0"), ggml("Q4_0", 1 / 1.5)]),
  gguf("Q8_0", [python("Q8_0"), ggml("Q8_0", 1 / 1.5)]),
  // gguf-py writes no K types.
  gguf("Q4_K", [ggml("Q4_K")], { seconds: 1.5 }),
  gguf("Q6_K", [ggml("Q6_K")], { seconds: 0.7 }),
];

const OURS = "weft 1 thread";

/** Time of an encoder and of the others, turn by turn, whose bytes must be the same. */
export async function measureEncoder(
  { name, format, part, anchors, seconds }: Encoder,
  subject: Subject,
  context: BenchContext,
): Promise<void> {
  const { weight, size, folder, python: process } = subject;
  const run = (): void => void quantize(weight, [size, size], format);
  const bytes = quantize(weight, [size, size], format).parts[part]!;
  const contestants: Contestant[] = [{ name: OURS, turn: (time) => timeCalls(run, time) }];
  for (const anchor of process ? anchors : []) {
    const args = anchor.args(context.root, bytes.byteLength);
    const call = args && { op: anchor.op, args: ["$w", ...args] };
    if (!call || !(await equalBytes(process!, call, join(folder, "theirs"), bytes)))
      context.note(`${name}: ${anchor.name} is not installed`);
    else
      contestants.push({
        name: anchor.name,
        turn: async (time) => (await process!.call({ cmd: "time", ...call, threads: 1, seconds: time }))["seconds"] as number,
      });
  }
  const times = await takeTurns(contestants, { rounds: context.rounds, seconds: context.quick ? 0.02 : 0.3 });
  const ours = times.get(OURS)!;
  const emit = (who: string, { best, spread, rounds }: typeof ours, more: object = {}): void =>
    context.emit({
      suite: "quantize",
      case: `${name}, ${size}×${size}, ${who}`,
      metric: "time",
      value: best,
      unit: "s",
      anchor: null,
      ratio: null,
      spread,
      rounds,
      ...more,
    });
  if (seconds !== undefined || times.size === 1)
    emit(OURS, ours, seconds === undefined ? {} : { goal: `≤ ${seconds} s`, met: ours.best <= seconds });
  for (const anchor of anchors) {
    const theirs = times.get(anchor.name);
    if (!theirs) continue;
    emit(anchor.name, theirs);
    const ratio = theirs.best / ours.best;
    emit(OURS, ours, {
      anchor: anchor.name,
      ratio,
      ...(anchor.ratio !== undefined && { goal: `≥ ${anchor.ratio.toPrecision(2)}×`, met: ratio >= anchor.ratio }),
    });
  }
}

/** Whether the other is there; then its bytes must be ours. */
export async function equalBytes(
  process: Python,
  call: { readonly op: string; readonly args: readonly unknown[] },
  file: string,
  ours: Uint8Array,
): Promise<boolean> {
  try {
    await process.call({ cmd: "save", ...call, file, keep: true });
  } catch (error) {
    if ((error as Error).message.includes("ModuleNotFoundError")) return false;
    throw error;
  }
  if (Buffer.compare(readFileSync(file), ours) !== 0)
    throw new Error(`${call.op} ${call.args.slice(1).join(" ")}: the bytes are not the original's`);
  return true;
}
