import { readFileSync } from "node:fs";
import type { DType } from "../../dtype.js";
import type { Tensor } from "../../graph.js";
import { fromBytes } from "../../ops/create.js";

/** The tensors of a fixture by name. */
export function readFixture(path: string): (name: string) => Tensor {
  const file = readFileSync(new URL(`../../../../../fixtures/${path}`, import.meta.url));
  const start = 8 + Number(file.readBigUInt64LE());
  type Entry = { readonly dtype: string; readonly shape: number[]; readonly data_offsets: readonly [number, number] };
  const header = JSON.parse(file.toString("utf8", 8, start)) as { readonly [name: string]: Entry };
  return (name) => {
    const { dtype, shape, data_offsets } = header[name]!;
    const [first, end] = data_offsets;
    return fromBytes(Uint8Array.from(file.subarray(start + first, start + end)), shape, dtype.toLowerCase() as DType);
  };
}
