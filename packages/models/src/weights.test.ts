import type { WeightSource } from "@weft/io-safetensors";
import { add, Device, createReferenceBackend, referenceDevice } from "@weft/tensor-core";
import { expect, test } from "vitest";
import { loadWeights } from "./weights.js";

/** Two small tensors, and which of them were read. */
function checkpoint(): { source: WeightSource; reads: string[] } {
  const reads: string[] = [];
  const tensors = new Map([
    ["a", Float32Array.of(1, 2)],
    ["b", Float32Array.of(3)],
  ]);
  const info = (name: string): object => ({
    name,
    dtype: "F32",
    shape: [tensors.get(name)!.length],
    bytes: tensors.get(name)!.byteLength,
    file: "c",
  });
  const source = {
    location: "c",
    metadata: new Map(),
    warnings: [],
    names: () => tensors.keys(),
    has: (name: string) => tensors.has(name),
    info,
    async read(name: string) {
      reads.push(name);
      return { ...info(name), data: new Uint8Array(tensors.get(name)!.buffer.slice(0)) };
    },
    close: async () => undefined,
  } as unknown as WeightSource;
  return { source, reads };
}

test("weights of a device lie there alone, and are read again when they were disposed of", async () => {
  const device = new Device(createReferenceBackend());
  const { source, reads } = checkpoint();
  const progress: number[] = [];
  const weights = await loadWeights(source, { device, onProgress: (done) => progress.push(done) });
  expect(reads).toEqual(["a", "b"]);
  expect(progress).toEqual([8, 12]);
  const a = weights.get("a")!;
  expect(a.node.bytes).toBeUndefined();
  expect([...(await add(a, weights.get("b")!).data())]).toEqual([4, 5]);
  expect([...(await a.data())]).toEqual([1, 2]);
  expect(reads).toHaveLength(2);
  a.dispose();
  expect([...(await add(a, 1).data())]).toEqual([2, 3]);
  expect(reads).toEqual(["a", "b", "a"]);
  expect(progress).toHaveLength(2);
});

test("a load that is stopped leaves nothing on the device", async () => {
  const inner = createReferenceBackend();
  let live = 0;
  const device = new Device({ ...inner, allocate: (n) => (live++, inner.allocate(n)), free: (b) => (live--, inner.free(b)) });
  const { source } = checkpoint();
  const stop = new AbortController();
  const loading = loadWeights(source, { device, signal: stop.signal, onProgress: () => stop.abort() });
  await expect(loading).rejects.toMatchObject({ name: "CancelledError" });
  expect(live).toBe(0);
});

test("weights of no device go with any", async () => {
  const { source, reads } = checkpoint();
  const weights = await loadWeights(source, { names: ["b"] });
  for (const device of [referenceDevice(), new Device(createReferenceBackend())])
    expect([...(await add(weights.get("b")!, device.tensor(1)).data())]).toEqual([4]);
  expect(reads).toEqual(["b"]);
});
