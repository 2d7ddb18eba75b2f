import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openWeights } from "@weft/io-safetensors/node";
import { readTensor } from "@weft/adapter-files";
import type { Device, Tensor } from "@weft/tensor-core";

/** All tensors of a file or folder, as constants of a device. */
export async function readTensors(path: string, device: Device): Promise<Map<string, Tensor>> {
  const source = await openWeights(path);
  try {
    const result = new Map<string, Tensor>();
    for (const name of source.names()) result.set(name, await readTensor(source, name, { device }));
    return result;
  } finally {
    await source.close();
  }
}

export function readJson<T>(...path: string[]): T {
  return JSON.parse(readFileSync(join(...path), "utf8")) as T;
}

/** The tensors whose name begins so, without that beginning. */
export function withPrefix(tensors: ReadonlyMap<string, Tensor>, prefix: string): Map<string, Tensor> {
  return new Map([...tensors].filter(([name]) => name.startsWith(prefix)).map(([name, t]) => [name.slice(prefix.length), t]));
}
