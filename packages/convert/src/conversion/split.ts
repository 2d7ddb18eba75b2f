import { type Part, partRows } from "@weft/adapter-files/dialects";
import type { ConvertModule } from "./convert-module.js";
import { type LazyTensor, reshaped, rowsOf, stacked, valuesOf } from "./lazy-tensor.js";

/** Tensors whose rows are those of the weight. */
const BY_ROWS: ReadonlySet<string> = new Set(["lora_up.weight", "lora_up.bias", "dora_scale", "diff", "diff_b", "w_norm", "b_norm"]);

/** Why a module of a fused weight cannot be cut; undefined if it can. */
export function whyNotSplit({ method, parameters }: ConvertModule): string | undefined {
  if (method === "LOHA") return parameters.has("hada_t1") ? "LoHa with Tucker cores cannot be cut" : undefined;
  if (method === "LOCON") {
    const [up, magnitude] = [parameters.get("lora_up.weight")!, parameters.get("dora_scale")];
    return magnitude && magnitude.shape[0] !== up.shape[0] ? "magnitudes of input columns cannot be cut" : undefined;
  }
  return method === "FULL" ? undefined : `${method} cannot be cut exactly`;
}

/**
 * The parts of a module of a fused weight, one per name: the up factor is cut by rows and the down factor shared, unless the up factor is block
 * diagonal over parts of the rank: then both are cut. LoHa is cut in both of its left factors, which is exact as well.
 * @returns undefined if the rows do not come out whole
 */
export async function splitModule(
  module: ConvertModule,
  parts: readonly { readonly path: string; readonly part: Part }[],
): Promise<ConvertModule[] | undefined> {
  const left = module.method === "LOHA" ? "hada_w1_a" : module.method === "FULL" ? "diff" : "lora_up.weight";
  const rows = module.parameters.get(left)?.shape[0];
  const ranges = rows === undefined ? [] : parts.map(({ part }) => partRows(part, rows));
  if (ranges.length === 0 || ranges.some((range) => !range)) return undefined;
  const blocks =
    module.method === "LOCON" && (await isBlockDiagonal(module.parameters.get("lora_up.weight")!, ranges as [number, number][]));
  return parts.map(({ path }, i) => {
    const range = ranges[i]!;
    const cut = new Map([...module.parameters].map(([name, t]) => [name, isCut(name) ? rowsOf(t, range) : t]));
    const rank = module.rank !== undefined && blocks ? module.rank / parts.length : module.rank;
    if (blocks) {
      const ranks = [i * rank!, (i + 1) * rank!] as const;
      cut.set("lora_down.weight", rowsOf(module.parameters.get("lora_down.weight")!, ranks));
      cut.set("lora_up.weight", columnsOf(cut.get("lora_up.weight")!, ranks));
    }
    return { ...module, path, parameters: cut, rank, pieces: module.pieces.map((piece) => ({ ...piece, sourceRows: range })) };
  });
}

const isCut = (name: string): boolean => BY_ROWS.has(name) || name === "hada_w1_a" || name === "hada_w2_a";

/** True if each part of the rows uses its own part of the ranks, and nothing else. */
async function isBlockDiagonal(up: LazyTensor, ranges: readonly (readonly [number, number])[]): Promise<boolean> {
  const rank = up.shape[1]!;
  if (rank % ranges.length !== 0) return false;
  const values = await valuesOf(up);
  const width = rank / ranges.length;
  return ranges.every(([start, stop], part) => {
    for (let row = start; row < stop; row++)
      for (let k = 0; k < rank; k++) if (Math.floor(k / width) !== part && values[row * rank + k] !== 0) return false;
    return true;
  });
}

/** Columns of a matrix [rows, r, 1…]. */
function columnsOf(t: LazyTensor, [start, stop]: readonly [number, number]): LazyTensor {
  const [rows, columns, ...ones] = t.shape as [number, number, ...number[]];
  return {
    dtype: t.dtype,
    shape: [rows, stop - start, ...ones],
    async read() {
      const bytes = await t.read();
      const size = bytes.byteLength / (rows * columns);
      const out = new Uint8Array(rows * (stop - start) * size);
      for (let row = 0; row < rows; row++)
        out.set(bytes.subarray((row * columns + start) * size, (row * columns + stop) * size), row * (stop - start) * size);
      return out;
    },
  };
}

/** The halves of all tensors that have the weight's rows, exchanged. @returns undefined if the rows are odd */
export function withSwappedHalves(module: ConvertModule): ConvertModule | undefined {
  if (whyNotSplit(module) !== undefined) return undefined;
  const swap = (t: LazyTensor): LazyTensor => {
    const half = t.shape[0]! / 2;
    return stacked([rowsOf(t, [half, 2 * half]), rowsOf(t, [0, half])]);
  };
  const cut = [...module.parameters].filter(([name]) => isCut(name));
  if (cut.some(([, { shape }]) => shape[0]! % 2 !== 0)) return undefined;
  const parameters = new Map([...module.parameters, ...cut.map(([name, t]) => [name, reshaped(swap(t), t.shape)] as const)]);
  return { ...module, parameters, pieces: module.pieces.map((piece) => ({ ...piece, swapped: !piece.swapped })) };
}
