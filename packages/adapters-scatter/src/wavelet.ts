import { ConfigError } from "@weft/tensor-core";
import { FILTERS } from "./generated/wavelets.js";

/** Families in the order of the data: name, first order, last one with filters, last one that a config may name, length of a filter per order. */
const FAMILIES = [
  ["db", 1, 10, 38, 2],
  ["sym", 2, 10, 20, 2],
  ["coif", 1, 4, 17, 6],
] as const;

const orders = (family: string, first: number, last: number): string[] =>
  Array.from({ length: last - first + 1 }, (_, i) => `${family}${first + i}`);

/** Wavelets that a config of PEFT may name: Daubechies', symlets, coiflets. */
export const WAVELET_NAMES: readonly string[] = FAMILIES.flatMap(([family, first, , last]) => orders(family, first, last));

/** Those that PEFT has filters for. `db1` is Haar's. */
const WAVELETS: readonly string[] = FAMILIES.flatMap(([family, first, last]) => orders(family, first, last));

const lengthOf = (name: string): number => FAMILIES.find(([family]) => name.startsWith(family))![4] * Number(/\d+$/.exec(name)![0]);

let decoded: Float32Array | undefined;

function allFilters(): Float32Array {
  const bytes = Uint8Array.from(atob(FILTERS), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

/** The filters that a wavelet reconstructs with: low-pass h, and high-pass g[i] = (-1)^i·h[L-1-i]. @throws ConfigError for wavelets that PEFT has none of */
export function reconstructionFilters(name: string): { readonly low: Float32Array; readonly high: Float32Array } {
  const at = WAVELETS.indexOf(name);
  if (at < 0)
    throw new ConfigError(
      `wavelet_family is "${name}": PEFT takes the name, but has no filters that work for it, so that no adapter was trained with it`,
      { hint: "there are db1-10, sym2-10 and coif1-4" },
    );
  decoded ??= allFilters();
  const start = WAVELETS.slice(0, at).reduce((sum, before) => sum + lengthOf(before), 0);
  const low = decoded.slice(start, start + lengthOf(name));
  const high = low.map((_, i) => (i % 2 === 0 ? 1 : -1) * low[low.length - 1 - i]!);
  return { low, high };
}
