import { ADAPTER_METHODS } from "@weft/methods";
import { layoutFile, openSafetensors, type SafetensorsDType, type WeightSource } from "@weft/io-safetensors";
import { openWeights } from "@weft/io-safetensors/node";
import { assertMatch, matchAdapter, openAdapter, type OpenedAdapter, readAdapterTensor, readTensor } from "@weft/adapter-files";
import type { ConvertedFile } from "@weft/convert";
import { type Device, mergeWeight, type Params, sub, type Tensor } from "@weft/tensor-core";
import type { Comparison } from "../case.js";

/** A tensor in memory. */
export interface Given {
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** A safetensors file in memory. */
export function fileOf(tensors: ReadonlyMap<string, Given>, metadata: ReadonlyMap<string, string> = new Map()): Promise<WeightSource> {
  const entries = [...tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  const layout = layoutFile(entries, metadata);
  const bytes = new Uint8Array(layout.size);
  bytes.set(layout.header);
  for (const { name, offset } of layout.tensors) bytes.set(tensors.get(name)!.data, offset);
  return openSafetensors(bytes);
}

/** What a conversion gave, opened as if it had been written. */
export async function reopened(file: ConvertedFile): Promise<OpenedAdapter> {
  const read = [...file.tensors].map(async ([name, t]) => [name, { dtype: t.dtype, shape: t.shape, data: await t.read() }] as const);
  const weights = await fileOf(new Map(await Promise.all(read)), file.metadata);
  return openAdapter({ weights, ...(file.config !== undefined && { config: file.config }) }, { methods: ADAPTER_METHODS });
}

/** The same names, and the same bytes under each, but for those whose names a pattern takes out. */
export async function sameFile(
  check: Comparison,
  what: string,
  got: WeightSource,
  want: WeightSource,
  without: RegExp = /^$/,
): Promise<void> {
  const names = (source: WeightSource): string[] => [...source.names()].filter((name) => !without.test(name)).toSorted();
  check.exact(`${what}: keys`, names(got), names(want));
  for (const name of names(want)) {
    if (!got.has(name)) continue;
    const [a, b] = [await got.read(name), await want.read(name)];
    check.exact(`${what}: ${name}`, [a.dtype, [...a.shape], Buffer.compare(a.data, b.data)], [b.dtype, [...b.shape], 0]);
  }
}

/** W' - W of every module of an adapter on a base, by the base's path. */
export async function changesOn(adapter: OpenedAdapter, base: WeightSource, device: Device): Promise<Map<string, Tensor>> {
  const report = await matchAdapter(adapter, base);
  assertMatch(report, adapter);
  const changes = new Map<string, Tensor>();
  for (const { path, weight, method: name, layer, config, tensors } of report.matched) {
    const method = ADAPTER_METHODS.get(name)!.method!;
    const read = [...tensors].map(async ([key, tensor]) => [key, await readAdapterTensor(adapter.weights, tensor, device)] as const);
    const params: Params = Object.fromEntries(await Promise.all(read));
    const w = await readTensor(base, weight, { device });
    changes.set(path, sub(mergeWeight(method, w, params, { layer: layer!, config: config as never, scale: 1 }), w));
  }
  return changes;
}

/** Opens an adapter's file of a case. */
export const adapterAt = async (path: string): Promise<OpenedAdapter> =>
  openAdapter({ weights: await openWeights(path) }, { methods: ADAPTER_METHODS });
