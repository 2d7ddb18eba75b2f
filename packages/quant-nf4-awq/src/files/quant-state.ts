import { parseStrictJson, plainJson } from "@weft/io-safetensors";
import type { DType, MatrixShape } from "@weft/tensor-core";
import type { ModuleReader } from "./quant-files.js";

/** What bitsandbytes keeps beside a weight of four bits, in its spelling and order. */
export interface QuantState {
  readonly quant_type: string;
  readonly blocksize: number;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly nested_blocksize?: number;
  readonly nested_dtype?: string;
  readonly nested_offset?: number;
}

const DTYPES: ReadonlyMap<string, DType> = new Map([
  ["float32", "f32"],
  ["float16", "f16"],
  ["bfloat16", "bf16"],
]);

/** Torch's name of a float dtype. */
export const torchName = (dtype: DType): string => [...DTYPES].find(([, core]) => core === dtype)?.[0] ?? "float32";

/** A number as Python writes it. */
function pythonFloat(x: number): string {
  const magnitude = Math.abs(x);
  if (x === 0 || (magnitude >= 1e-4 && magnitude < 1e16)) return Number.isInteger(x) ? x.toFixed(1) : String(x);
  return x.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
}

/** The text that Python's `json.dumps` makes of a state. */
export function encodeQuantState(state: QuantState): Uint8Array {
  const value = (key: string, v: unknown): string => {
    if (Array.isArray(v)) return `[${v.join(", ")}]`;
    return key === "nested_offset" ? pythonFloat(v as number) : JSON.stringify(v);
  };
  const text = Object.entries(state).map(([key, v]) => `${JSON.stringify(key)}: ${value(key, v)}`);
  return new TextEncoder().encode(`{${text.join(", ")}}`);
}

/** A state out of a file, checked. @throws FormatError kind `quantized-weight` naming the field */
export function decodeQuantState(reader: ModuleReader, name: string): QuantState & { readonly core: DType; readonly matrix: MatrixShape } {
  const state = plainJson(parseStrictJson(reader.take(name, { dtype: ["U8"] }).data)) as Partial<QuantState> | null;
  const field = (key: keyof QuantState, ok: boolean, expected: string): void => {
    if (!ok) throw reader.error(name, `has ${key} ${JSON.stringify(state?.[key])}, expected ${expected}`);
  };
  const { shape, dtype, nested_blocksize: nested, nested_offset: offset } = state ?? {};
  const core = DTYPES.get(dtype ?? "");
  field("dtype", core !== undefined, [...DTYPES.keys()].join(" or "));
  const matrix = Array.isArray(shape) && shape.length === 2 && shape.every((n) => Number.isSafeInteger(n) && n >= 0);
  field("shape", matrix, "two sizes");
  field("nested_blocksize", nested === undefined || nested === 256, "256");
  field("nested_offset", nested === undefined || Number.isFinite(offset), "a number");
  return { ...(state as QuantState), core: core!, matrix: shape as unknown as MatrixShape };
}
