import { ADAPTER_METHODS } from "@weft/methods";
import { layoutFile, openSafetensors, type SafetensorsDType, type WeightSource } from "@weft/io-safetensors";
import { openWeights } from "@weft/io-safetensors/node";
import { openAdapter, type OpenedAdapter, readTensor } from "@weft/adapter-files";
import type { ConvertedFile } from "@weft/convert";
import { PeftModel } from "@weft/registry";
import { type Device, type LayerSpec, sub, type Tensor } from "@weft/tensor-core";
import type { Comparison } from "../case.js";
import { LayerModel } from "./layer-model.js";

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

/** W' - W of every weight that an adapter changes in a base, by the module's path. */
export async function changesOn(adapter: OpenedAdapter, base: WeightSource, device: Device): Promise<Map<string, Tensor>> {
  const weights = new Map<string, Tensor>();
  for (const name of base.names()) weights.set(name, await readTensor(base, name, { device }));
  const peft = await PeftModel.fromPretrained(new LayerModel(weights, layerOf), adapter);
  const merged = [...peft.mergeAndUnload().weights].filter(([name, weight]) => weight !== weights.get(name));
  return new Map(merged.map(([name, weight]) => [name.replace(/\.weight$/, ""), sub(weight, weights.get(name)!)]));
}

/** A linear layer or a convolution; merging asks for no stride. */
const layerOf = ({ shape, dtype }: Tensor): Omit<LayerSpec, "bias"> => ({ kind: shape.length === 2 ? "linear" : "conv2d", shape, dtype });

/** Opens an adapter's file of a case. */
export const adapterAt = async (path: string): Promise<OpenedAdapter> =>
  openAdapter({ weights: await openWeights(path) }, { methods: ADAPTER_METHODS });
