import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { toCoreDType, type WeightSource } from "@weft/io-safetensors";
import { openWeights } from "@weft/io-safetensors/node";
import { createWasmBackend } from "@weft/kernels-wasm";
import { Device, fromBytes, referenceDevice, tensor, type Tensor } from "@weft/tensor-core";

/** A path below `fixtures/` of the repository. */
export function fixture(path: string): string {
  return fileURLToPath(new URL(`../../../fixtures/${path}`, import.meta.url));
}

export function fixtureJson(path: string): { readonly [field: string]: unknown } {
  return JSON.parse(readFileSync(fixture(path), "utf8")) as { readonly [field: string]: unknown };
}

/** All tensors of a file; 64-bit integers become i32. */
export async function fixtureTensors(path: string, device: Device): Promise<Map<string, Tensor>> {
  const source = await openWeights(fixture(path));
  const found = new Map<string, Tensor>();
  for (const name of source.names()) {
    const { dtype, shape, data } = await source.read(name);
    if (dtype === "I64") found.set(name, tensor(Int32Array.from(new BigInt64Array(data.slice().buffer), Number), { shape, device }));
    else found.set(name, fromBytes(data, shape, toCoreDType(dtype)!, device));
  }
  await source.close();
  return found;
}

/** Every device that a model is tested on; kernels without fused multiply-add, so that results are those of every machine. */
export const DEVICES: Readonly<Record<string, () => Promise<Device>>> = {
  reference: async () => referenceDevice(),
  cpu: async () => new Device(await createWasmBackend({ threads: 1, relaxed: false })),
};

/** max |got - want| / max(1, max |want|), the measure that the fixtures' tolerances are stated in. */
export async function worstError(got: Tensor, want: Tensor): Promise<number> {
  if (got.shape.join() !== want.shape.join()) return Infinity;
  const [a, b] = [await got.data(), await want.data()];
  let [gap, size] = [0, 1];
  for (let i = 0; i < b.length; i++) {
    const d = Math.abs(a[i]! - b[i]!);
    gap = d === d ? Math.max(gap, d) : Infinity;
    size = Math.max(size, Math.abs(b[i]!));
  }
  return gap / size;
}

/** A checkpoint under other names; undefined leaves a tensor out. */
export function renamed(source: WeightSource, rename: (name: string) => string | undefined): WeightSource {
  const names = new Map(
    [...source.names()].flatMap((name) => {
      const other = rename(name);
      return other === undefined ? [] : [[other, name] as const];
    }),
  );
  return {
    location: source.location,
    metadata: source.metadata,
    warnings: source.warnings,
    names: () => [...names.keys()],
    has: (name) => names.has(name),
    info: (name) => source.info(names.get(name)!),
    read: (name, ...rest) => source.read(names.get(name)!, ...rest),
    close: () => source.close(),
  };
}
