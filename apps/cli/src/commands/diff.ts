import { existsSync } from "node:fs";
import { type LocatedTensor, refuseZero3, type WeightSource } from "@weft/io-safetensors";
import { afterOtherTasks, CancelledError, type MethodTable } from "@weft/tensor-core";
import { type Command, EXIT } from "../context.js";
import type { ByteReader } from "@weft/checkpoint";
import {
  compareTensors,
  describeQuantization,
  FileSet,
  openInput,
  openValues,
  quantizationOf,
  type TensorDifference,
  valuesOfCheckpoint,
} from "@weft/checkpoint/node";
import { printable, table } from "../output.js";
import { Progress } from "../progress.js";

export interface DiffOptions {
  readonly atol: number;
  readonly byModule?: boolean;
  readonly parts?: boolean;
}

interface Difference extends Partial<TensorDifference> {
  readonly name: string;
  readonly what: "only-in-a" | "only-in-b" | "dtype" | "shape" | "values";
  readonly a?: string;
  readonly b?: string;
  /** With --by-module: how many of the module's tensors differ. */
  readonly tensors?: number;
}

/** `weft diff A B`: names, dtypes, shapes and values; exit code 4 if anything is unlike. */
export const diff: Command<DiffOptions, [string, string]> = async ([pathA, pathB], { atol, byModule, parts }, { out, signal, methods }) => {
  const table = async (): Promise<MethodTable> => (await methods()).table;
  const [a, b] = [await openSide(pathA, parts, table), await openSide(pathB, parts, table)];
  try {
    for (const { weights } of [a, b]) refuseZero3(weights);
    const differences: Difference[] = [];
    const names = [...new Set([...a.weights.names(), ...b.weights.names()])];
    const both = names.filter((name) => a.weights.has(name) && b.weights.has(name));
    for (const [path, { weights }] of [
      [pathA, a],
      [pathB, b],
    ] as const) {
      // Those that are seen as tensors of codes: of formats that are not read, or all of them.
      const quantization = quantizationOf(weights);
      if (quantization.weights.size > 0)
        out.warn(
          `${path} holds quantised weights (${describeQuantization(quantization)}): codes and scales are compared, not what they stand for`,
        );
    }
    const progress = new Progress(
      out,
      "diff",
      both.reduce((sum, name) => sum + a.weights.info(name).bytes, 0),
    );
    let done = 0;
    for (const name of names) {
      await afterOtherTasks();
      if (signal.aborted) throw new CancelledError();
      if (!b.weights.has(name)) differences.push({ name, what: "only-in-a" });
      else if (!a.weights.has(name)) differences.push({ name, what: "only-in-b" });
      else {
        const [x, y] = [a.weights.info(name), b.weights.info(name)];
        const found = await compare([a.reader, b.reader], x, y, atol, signal);
        if (found) differences.push(found);
        done += x.bytes;
        progress.update(done, name);
      }
    }
    progress.end();
    const shown = byModule ? groupByModule(differences) : differences;
    const equal = differences.length === 0;
    const result = { equal, compared: both.length, different: differences.length, atol, differences: shown };
    out.result(result, () =>
      equal
        ? `equal: ${both.length} tensors${atol > 0 ? ` within ${atol}` : ""}`
        : `${text(shown)}\n${differences.length} of ${names.length} tensors differ`,
    );
    return equal ? EXIT.done : EXIT.unlike;
  } finally {
    await Promise.all([a.close(), b.close()]);
  }
};

/** One of the two, and what reads it. */
interface Side {
  readonly weights: WeightSource;
  readonly reader: ByteReader;
  close(): Promise<void>;
}

/** Quantised weights are compared as values, unless their parts are asked for. */
async function openSide(path: string, parts: boolean | undefined, methods: () => Promise<MethodTable>): Promise<Side> {
  if (path.endsWith(".gguf")) return openValues(path);
  const { weights, adapter } = await openInput(path, methods);
  if (!adapter && !parts && existsSync(weights.location)) return valuesOfCheckpoint(weights);
  const files = new FileSet();
  return { weights, reader: files, close: async () => void (await Promise.all([files.close(), weights.close()])) };
}

async function compare(
  files: readonly [ByteReader, ByteReader],
  x: LocatedTensor,
  y: LocatedTensor,
  atol: number,
  signal: AbortSignal,
): Promise<Difference | undefined> {
  const { name } = x;
  if (x.shape.join() !== y.shape.join()) return { name, what: "shape", a: `[${x.shape}]`, b: `[${y.shape}]` };
  // With a tolerance values count, not how they are stored.
  if (x.dtype !== y.dtype && atol === 0) return { name, what: "dtype", a: x.dtype, b: y.dtype };
  const values = await compareTensors(files, x, y, atol, signal);
  return values && { name, what: "values", ...values };
}

function groupByModule(differences: readonly Difference[]): Difference[] {
  const modules = new Map<string, Difference>();
  for (const d of differences) {
    const name = d.name.includes(".") ? d.name.slice(0, d.name.lastIndexOf(".")) : d.name;
    const before = modules.get(name);
    const worst = (x: number | undefined, y: number | undefined): number => Math.max(x ?? 0, y ?? 0);
    modules.set(
      name,
      before
        ? {
            ...before,
            maxAbs: worst(before.maxAbs, d.maxAbs),
            maxRel: worst(before.maxRel, d.maxRel),
            count: (before.count ?? 0) + (d.count ?? 0),
            tensors: before.tensors! + 1,
          }
        : { ...d, name, tensors: 1 },
    );
  }
  return [...modules.values()];
}

function text(differences: readonly Difference[]): string {
  const what = (d: Difference): string =>
    d.what === "only-in-a"
      ? "only in the first"
      : d.what === "only-in-b"
        ? "only in the second"
        : d.what === "values"
          ? `${d.count} values`
          : `${d.what} ${d.a} → ${d.b}`;
  const rows = differences.map((d) => [
    printable(d.name),
    what(d),
    d.maxAbs === undefined ? "" : d.maxAbs.toExponential(3),
    d.maxRel === undefined ? "" : d.maxRel.toExponential(3),
  ]);
  return table([["tensor", "difference", "max abs", "max rel"], ...rows]);
}
