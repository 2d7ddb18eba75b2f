import { readFileSync } from "node:fs";
import { join } from "node:path";
import { toCoreDType } from "@weft/io-safetensors";
import type { WasmBackend, WasmBuffer } from "@weft/kernels-wasm";
import { decode } from "@weft/tensor-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FileSet } from "../node/file-set.js";
import { checkpointOf, tensorsOf } from "../testing/checkpoints.js";
import { FIXTURES, temporaryFolder } from "../testing/folders.js";
import { everyLycorisModule, gapOf } from "../testing/lycoris-modules.js";
import { computeJob, mergeInMemory, prepared } from "../testing/merge-in-memory.js";
import { firstDifference, MERGED_CASES, mergedCase } from "../testing/peft-cases.js";
import { writeTensors } from "../testing/write-tensors.js";
import type { TensorJob } from "./tensor-job.js";
import { createTileBackend } from "./tile-backend.js";

const folder = temporaryFolder();
const files = new FileSet();
let backend: WasmBackend;
beforeAll(async () => {
  backend = await createTileBackend();
  poison(backend);
});
afterAll(() => files.close());

/** Fills all memory that the backend and its kernels take from now on with NaN: a value that nobody wrote shows in any result that it reaches. */
function poison(of: WasmBackend): void {
  type Memory = Pick<WasmBuffer["memory"], "bytes" | "tryAllocate">;
  const { list } = (of as unknown as { readonly engine: { readonly memories: { readonly list: readonly Memory[] } } }).engine.memories;
  for (const memory of list) {
    const tryAllocate = memory.tryAllocate.bind(memory);
    memory.tryAllocate = (bytes, limit) => {
      const buffer = tryAllocate(bytes, limit);
      if (buffer) memory.bytes.fill(0xff, buffer.address, buffer.address + bytes);
      return buffer;
    };
  }
}

const compute = (item: TensorJob, tileBytes: number): ReturnType<typeof computeJob> => computeJob(backend, files, item, tileBytes);

const valuesOf = (bytes: Uint8Array, dtype: string): ArrayLike<number> => decode(bytes, toCoreDType(dtype as "F32")!);

describe("a tensor comes out as PEFT's, in any tiles, and nothing of it is memory that nobody wrote", () => {
  it.each(MERGED_CASES)("%s", async (name) => {
    const { adapter, base, tolerance, merged } = await mergedCase(name, folder);
    const merge = await prepared({ base, adapters: [adapter] });
    const before = checkpointOf(base);
    for (const item of merge.output.items) {
      const [whole, small] = [await compute(item, 1 << 20), await compute(item, 400)];
      expect(whole.tiles).toBe(1);
      expect(small.bytes.equals(whole.bytes), `${item.name} in ${small.tiles} tiles`).toBe(true);
      const want = merged.get(item.name) ?? before.get(item.name)!;
      const difference = firstDifference(valuesOf(whole.bytes, item.dtype), valuesOf(want.bytes, want.dtype), tolerance);
      expect(`${item.name} ${difference}`).toBe(`${item.name} equal`);
    }
    await merge.close();
  });

  it("LyCORIS's modules, in memory that nobody wrote", async () => {
    const { cases, base, adapter, expected } = await everyLycorisModule(temporaryFolder());
    const merged = await mergeInMemory(backend, { base, adapters: [adapter] });
    for (const [name, want] of expected) {
      const { bytes, dtype } = merged.get(name)!;
      const label = `${cases[Number(/\d+/.exec(name)![0])]} ${name}`;
      expect([label, gapOf(valuesOf(bytes, dtype), want) < 2e-5]).toEqual([label, true]);
    }
  });

  it("rotations of the input are computed in many tiles, not whole", async () => {
    const { adapter, base } = await mergedCase("oft_linear", temporaryFolder());
    const merge = await prepared({ base, adapters: [adapter] });
    const [item] = merge.output.items.filter((i) => i.steps.length > 0);
    expect((await compute(item!, 400)).tiles).toBeGreaterThan(3);
    await merge.close();
  });

  it.each([
    ["037-locon-linear-weight_decompose", true],
    ["038-locon-linear-weight_decompose-wd_on_outFalse", true],
    ["040-locon-conv3x3-weight_decompose-wd_on_outFalse", true],
    ["075-diag-oft-linear", false],
    ["082-boft-linear", false],
  ])("LyCORIS %s, norms of columns in a pass of their own (%s)", async (name, tiled) => {
    const at = join(FIXTURES, "lycoris/modules", name);
    const { key } = JSON.parse(readFileSync(join(at, "case.json"), "utf8")) as { key: string };
    const [base, adapter] = [join(folder, `${name}.safetensors`), join(folder, `${name}-adapter.safetensors`)];
    await writeTensors(base, new Map([["blocks.0.to_out.0.weight", tensorsOf(join(at, "tensors.safetensors")).get("weight")!]]));
    const renamed = [...tensorsOf(join(at, "adapter.safetensors"))].map(
      ([k, t]) => [k.replace(key, "lora_unet_blocks_0_to_out_0"), t] as const,
    );
    await writeTensors(adapter, new Map(renamed));
    const merge = await prepared({ base, adapters: [adapter] });
    const [item] = merge.output.items.filter((i) => i.steps.length > 0);
    const [whole, small] = [await compute(item!, 1 << 20), await compute(item!, 400)];
    expect(small.bytes.equals(whole.bytes)).toBe(true);
    expect(small.tiles > 1).toBe(tiled);
    await merge.close();
  });
});
