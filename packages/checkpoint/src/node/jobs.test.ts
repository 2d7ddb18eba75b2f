import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { expect, it } from "vitest";
import { checkpointOf } from "../testing/checkpoints.js";
import { FIXTURES, temporaryFolder } from "../testing/folders.js";
import { extractAdapter } from "./extract-adapter.js";
import { mergeCheckpoint, unmergeCheckpoint } from "./merge-checkpoint.js";
import { convertCheckpoint } from "./quantize/quantize-checkpoint.js";
import { verifyCheckpoint } from "./verify-checkpoint.js";

const folder = temporaryFolder();
let made = 0;
const fresh = (): string => join(folder, `${made++}`);
const base = join(FIXTURES, "peft/llama_base");
const adapter = join(FIXTURES, "peft/llama_dora_all_linear");
const lora = join(FIXTURES, "peft/llama_embed");
const methods = ADAPTER_METHODS;

/** f32 as bf16, rounded to nearest, ties to even. */
function asBf16(f32: Buffer): Buffer {
  const bits = new Uint32Array(Uint8Array.from(f32).buffer);
  return Buffer.from(Uint16Array.from(bits, (x) => (x + 0x7fff + ((x >>> 16) & 1)) >>> 16).buffer);
}

it("converts a checkpoint's floats, in files of a size, and says so in its config", async () => {
  const out = fresh();
  const phases = new Set<string>();
  const { quantized, files } = await convertCheckpoint({
    base,
    out,
    dtype: "bf16",
    maxShardSize: 20_000,
    onProgress: ({ phase }) => phases.add(phase),
  });
  expect(quantized).toBe(0);
  expect([files.length > 1, phases]).toEqual([true, new Set(["convert"])]);
  const [before, after] = [checkpointOf(base), checkpointOf(out)];
  expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
  for (const [name, { dtype, bytes }] of before) {
    expect(dtype).toBe("F32");
    expect(after.get(name)!.dtype).toBe("BF16");
    expect(after.get(name)!.bytes.equals(asBf16(bytes)), name).toBe(true);
  }
  expect(readFileSync(join(out, "config.json"), "utf8")).toContain('"bfloat16"');
});

it("merges, verifies, takes out again and extracts", async () => {
  const [merged, again, extracted] = [fresh(), fresh(), fresh()];
  const merge = { base, adapters: [{ path: lora, scale: 0.5 }], methods };
  const result = await mergeCheckpoint({ ...merge, out: merged });
  expect(result.merged).toBeGreaterThan(0);
  expect(await verifyCheckpoint({ ...merge, merged })).toEqual({ tensors: result.tensors, different: [] });
  const { different } = await verifyCheckpoint({ ...merge, adapters: [lora], merged });
  expect(different).toHaveLength(result.merged);
  await unmergeCheckpoint({ ...merge, base: merged, out: again });
  for (const [name, { bytes }] of checkpointOf(base)) {
    const [x, y] = [bytes, checkpointOf(again).get(name)!.bytes].map((b) => new Float32Array(Uint8Array.from(b).buffer));
    x!.forEach((v, i) => expect(Math.abs(v - y![i]!)).toBeLessThan(1e-6));
  }
  const found = await extractAdapter({ base, tuned: merged, out: extracted, rule: { kind: "fixed", value: 4 }, methods });
  expect(found!.modules.length).toBeGreaterThan(0);
  expect(Math.max(...found!.modules.map(({ residual }) => residual))).toBeLessThan(1e-3);
});

it("refuses an output that is there before it opens an adapter", async () => {
  const out = fresh();
  await convertCheckpoint({ base, out, dtype: "f32", maxShardSize: 20_000 });
  await expect(mergeCheckpoint({ base, adapters: [join(folder, "no-such-adapter")], out, methods })).rejects.toMatchObject({
    kind: "exists",
  });
});

it("stops where the signal says so, and goes on with the same call", async () => {
  const out = fresh();
  const stop = new AbortController();
  const merge = { base, adapters: [adapter], methods, out, jobs: 1 };
  const stopped = mergeCheckpoint({ ...merge, signal: stop.signal, onPlan: () => stop.abort() });
  await expect(stopped).rejects.toMatchObject({ name: "CancelledError" });
  expect(readdirSync(out).filter((name) => name.endsWith(".safetensors") || name.endsWith(".tmp"))).toEqual([]);
  await mergeCheckpoint(merge);
  expect(existsSync(join(out, "model.safetensors.index.json"))).toBe(true);
  expect((await verifyCheckpoint({ base, adapters: [adapter], methods, merged: out })).different).toEqual([]);
});

it("verifies what was merged with values that are no numbers", async () => {
  const [broken, merged] = [fresh(), fresh()];
  cpSync(base, broken, { recursive: true });
  const target = "model.layers.0.self_attn.q_proj.weight";
  for (const file of readdirSync(broken).filter((name) => name.endsWith(".safetensors"))) {
    const bytes = readFileSync(join(broken, file));
    const header = Number(bytes.readBigUInt64LE(0));
    const at = (JSON.parse(bytes.toString("utf8", 8, 8 + header)) as Record<string, { data_offsets: [number, number] }>)[target];
    if (at) bytes.writeFloatLE(Number.NaN, 8 + header + at.data_offsets[0]);
    writeFileSync(join(broken, file), bytes);
  }
  const merge = { base: broken, adapters: [adapter], methods };
  await expect(mergeCheckpoint({ ...merge, out: merged })).rejects.toMatchObject({ kind: "non-finite" });
  await mergeCheckpoint({ ...merge, out: merged, allowNonFinite: true });
  expect((await verifyCheckpoint({ ...merge, merged })).different).toEqual([]);
});
