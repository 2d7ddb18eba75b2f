import { abs, CancelledError, concat, type Device, evaluate, max, rows as takeRows, sub, type Tensor } from "@weft/tensor-core";
import type { OpenedAdapter } from "@weft/adapter-files";
import type { ConvertedFile } from "../targets/target.js";
import type { Piece } from "./convert-module.js";
import { type ModuleEffect, moduleEffect } from "./effect.js";

/** How the change of the files that were written compares with that of the adapter they were made of. */
export interface Verification {
  /** Modules of the adapter whose change was rebuilt on both sides. */
  readonly modules: number;
  /** Largest |ΔW' - ΔW| / max |ΔW| of a module. */
  readonly error: number;
  /** Where that is. */
  readonly at: string | undefined;
  /** Modules whose change is the same, bit for bit. */
  readonly exact: number;
}

/** On which device both sides are computed, and who is told of the progress. */
export interface VerifyOptions {
  /** Computes the changes; the reference interpreter if not given. */
  readonly device?: Device;
  /** Called with the number of modules that are done. */
  readonly onProgress?: (done: number) => void;
  readonly signal?: AbortSignal;
}

/** Rebuilds every module's ΔW from the adapter and from the files made of it, both by the method's definition, and compares them. */
export async function verifyConversion(
  source: OpenedAdapter,
  written: readonly { readonly file: ConvertedFile; readonly adapter: OpenedAdapter }[],
  { device, onProgress, signal }: VerifyOptions = {},
): Promise<Verification> {
  let [modules, exact, error, at] = [0, 0, 0, undefined as string | undefined];
  for (const { file, adapter } of written) {
    for (const [id, { pieces, label }] of file.modules) {
      const found = adapter.modules.get(id);
      const after = found && (await moduleEffect(adapter, found, device));
      for (const piece of pieces) {
        if (signal?.aborted) throw new CancelledError();
        const before = await moduleEffect(source, source.modules.get(piece.source)!, device);
        const gap = after ? await compare(before, after, piece) : Infinity;
        before.dispose();
        modules++;
        if (gap === 0) exact++;
        if (gap > error) [error, at] = [gap, label];
        onProgress?.(modules);
      }
      after?.dispose();
    }
  }
  return { modules, error, at, exact };
}

/** Largest difference of the two, relative to the largest value of the first. */
async function compare(before: ModuleEffect, after: ModuleEffect, piece: Piece): Promise<number> {
  const pairs: [Tensor, Tensor][] = [];
  if (
    (before.delta === undefined) !== (after.delta === undefined) ||
    before.others.size !== after.others.size ||
    before.numbers !== after.numbers
  )
    return Infinity;
  if (before.delta) pairs.push([view(before.delta, piece.sourceRows, piece.swapped), view(after.delta!, piece.targetRows, false)]);
  for (const [name, t] of before.others) {
    const other = after.others.get(name);
    if (!other) return Infinity;
    pairs.push([view(t, piece.sourceRows, piece.swapped), view(other, piece.targetRows, false)]);
  }
  let worst = 0;
  for (const [a, b] of pairs) {
    if (a.shape.join() !== b.shape.join()) return Infinity;
    if (a.size === 0) continue;
    const [gap, size] = [max(abs(sub(a, b))), max(abs(a))];
    await evaluate(gap, size);
    const [d, s] = [(await gap.data())[0]!, (await size.data())[0]!];
    for (const t of [gap, size]) t.dispose();
    worst = Math.max(worst, Number.isNaN(d) ? Infinity : d === 0 ? 0 : d / s);
  }
  return worst;
}

function view(t: Tensor, range: readonly [number, number] | undefined, swapped: boolean | undefined): Tensor {
  const part = range ? takeRows(t, range[0], range[1]) : t;
  const half = part.shape[0]! / 2;
  return swapped ? concat([takeRows(part, half, 2 * half), takeRows(part, 0, half)], 0) : part;
}
