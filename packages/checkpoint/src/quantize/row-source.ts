import type { GgufValues } from "@weft/io-gguf";
import type { SafetensorsDType } from "@weft/io-safetensors";
import type { GgufType } from "@weft/quant-nf4-awq";
import type { TensorLocation } from "../plan/tensor-job.js";

/** Where the tensors of a quantised weight lie, by their names behind the module's path. Plain data. */
export interface PackedSource {
  /** `method` of the `QuantFiles` that reads them. */
  readonly method: string;
  readonly path: string;
  readonly config: { readonly [field: string]: unknown } | undefined;
  readonly tensors: { readonly [name: string]: TensorLocation };
}

/** Values that an output is made of, and how they lie. Plain data, so that threads can be handed it. */
export interface RowSource {
  /** Of the values, in the order in which rows are read: [rows, width], or any shape of what is copied. */
  readonly shape: readonly number[];
  /** What the values are. */
  readonly dtype: SafetensorsDType;
  /** Where they lie, as numbers of `dtype` or as blocks of `ggml`. */
  readonly at: Pick<TensorLocation, "file" | "offset" | "bytes">;
  readonly ggml?: GgufType;
  /** In place of `at`: the parts of a quantised weight. */
  readonly packed?: PackedSource;
  /** Rows are those of attention heads, and come in the order of the other side (`permuteHeads`). */
  readonly heads?: { readonly count: number; readonly to: "gguf" | "hf" };
  /** The matrix is stored transposed: [width, rows]. */
  readonly turned?: boolean;
  /** The values are those that the other side has in place of what is stored (`valuesOn`). */
  readonly values?: { readonly of: GgufValues; readonly to: "gguf" | "hf" };
  /** In place of `at`: the values themselves, few of them. */
  readonly given?: readonly number[];
}

/** Whether the values are other numbers, or in another order, than what is stored. */
export const isChanged = ({ heads, turned, values, given, ggml, packed }: RowSource): boolean =>
  Boolean(heads || turned || values || given || ggml || packed);

/** The matrix the other way round. */
export const turned = ({ shape, turned: before, ...source }: RowSource): RowSource => ({
  ...source,
  shape: [shape[1]!, shape[0]!],
  ...(!before && { turned: true }),
});

/** Elements of a row. */
export const widthOf = ({ shape }: Pick<RowSource, "shape">): number => shape.slice(1).reduce((a, b) => a * b, 1);

/** The row of the source that row `row` of the values is. */
export function sourceRow({ shape, heads }: RowSource, row: number): number {
  if (!heads) return row;
  const size = shape[0]! / heads.count;
  const [head, within, half] = [Math.floor(row / size), row % size, size / 2];
  // GGUF: row 2i + h of a head; transformers: row h · half + i.
  return head * size + (heads.to === "gguf" ? (within % 2) * half + (within >> 1) : (within % half) * 2 + Math.floor(within / half));
}
