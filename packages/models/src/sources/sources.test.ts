import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TensorView } from "@weft/io-safetensors";
import { openWeights, writeSafetensorsFile } from "@weft/io-safetensors/node";
import {
  awq,
  AWQ_FILES,
  BITSANDBYTES,
  COMPRESSED_TENSORS,
  dequantize,
  fourBit,
  FP8_FILES,
  gptq,
  GPTQ_FILES,
  LLM_INT8,
  packQuantized,
  quantize,
  type QuantFiles,
  type QuantFormat,
  scaled,
} from "@weft/quant-nf4-awq";
import type { Device, Tensor } from "@weft/tensor-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadCausalLM } from "../load.js";
import { loadPretrained } from "../node/load-pretrained.js";
import { DEVICES, fixture, fixtureJson, fixtureTensors, worstError } from "../testing.js";

const LLAMA = fixture("models/llama");
let device: Device;
let folder: string;
beforeAll(async () => {
  device = await DEVICES["cpu"]!();
  folder = mkdtempSync(join(tmpdir(), "weft-models-"));
});
afterAll(() => {
  device.dispose();
  rmSync(folder, { recursive: true });
});

/** Whether a weight lies in the device's memory as a file has it. */
const isPacked = (t: Tensor | undefined): boolean => t?.node.composite?.definition.name === "dequantize";

async function readAll(): Promise<Map<string, TensorView>> {
  const source = await openWeights(LLAMA);
  const tensors = new Map<string, TensorView>();
  for (const name of source.names()) tensors.set(name, await source.read(name));
  await source.close();
  return tensors;
}

/** The model of fixtures/models/llama with other tensors. */
async function write(home: string, tensors: ReadonlyMap<string, TensorView>, quantization: object): Promise<void> {
  await writeSafetensorsFile(
    join(home, "model.safetensors"),
    [...tensors].map(([name, view]) => ({ name, ...view })),
  );
  const config = { ...fixtureJson("models/llama/config.json"), quantization_config: quantization };
  writeFileSync(join(home, "config.json"), JSON.stringify(config));
}

describe("a checkpoint whose linear layers are quantised stays packed, and computes with the values that it stands for", () => {
  const FORMATS: readonly (readonly [name: string, files: QuantFiles, format: QuantFormat])[] = [
    ["bitsandbytes NF4", BITSANDBYTES, fourBit({ quantType: "nf4", blocksize: 64, doubleQuant: true })],
    ["bitsandbytes FP4", BITSANDBYTES, fourBit({ quantType: "fp4", blocksize: 64 })],
    ["bitsandbytes int8", BITSANDBYTES, LLM_INT8],
    ["AWQ", AWQ_FILES, awq({ groupSize: 8 })],
    ["GPTQ", GPTQ_FILES, gptq({ groupSize: 8 })],
    ["compressed-tensors", COMPRESSED_TENSORS, packQuantized({ bits: 4, groupSize: 8, symmetric: true })],
    ["FP8", FP8_FILES, scaled({ codes: "f8e4m3", rows: 16, columns: 16 })],
  ];

  test.each(FORMATS)("%s", async (_, files, format) => {
    const home = mkdtempSync(join(folder, "quantised-"));
    const dense = await loadPretrained(LLAMA, { device });
    const paths = [...dense.namedModules()].flatMap(([path, { kind, outputEmbedding }]) =>
      kind === "linear" && !outputEmbedding ? [path] : [],
    );
    const values = new Map<string, Tensor>();
    const tensors = await readAll();
    for (const path of paths) {
      const { shape, data } = tensors.get(`${path}.weight`)!;
      const weight = quantize(new Float32Array(data.slice().buffer), shape as [number, number], format);
      values.set(`${path}.weight`, device.tensor(await dequantize(weight, device), { shape }));
      tensors.delete(`${path}.weight`);
      for (const [key, part] of files.write!(weight)) tensors.set(`${path}.${key}`, part);
    }
    await write(home, tensors, files.config!(format));

    const model = await loadPretrained(home, { device });
    expect(paths.every((path) => isPacked(model.weights.get(`${path}.weight`)))).toBe(true);
    expect([...model.weights.keys()].toSorted()).toEqual([...dense.weights.keys()].toSorted());
    const { input_ids: inputIds } = Object.fromEntries(await fixtureTensors("models/llama/ref.safetensors", device));
    const want = dense.withWeights(values).forward({ inputIds: inputIds! }).logits;
    expect(await worstError(model.forward({ inputIds: inputIds! }).logits, want)).toBeLessThan(1e-5);
    expect(await worstError(dense.forward({ inputIds: inputIds! }).logits, want)).toBeGreaterThan(1e-4);
  });

  test("one that is not read is refused by name", async () => {
    const home = mkdtempSync(join(folder, "unread-"));
    const path = "model.layers.0.self_attn.q_proj";
    const tensors = await readAll();
    tensors.delete(`${path}.weight`);
    tensors.set(`${path}.codes`, { dtype: "I16", shape: [4, 1, 1], data: new Uint8Array(8) });
    tensors.set(`${path}.codebooks`, { dtype: "F16", shape: [1, 2], data: new Uint8Array(4) });
    tensors.set(`${path}.scales`, { dtype: "F16", shape: [4], data: new Uint8Array(8) });
    await write(home, tensors, { quant_method: "aqlm" });
    await expect(loadPretrained(home, { device })).rejects.toMatchObject({ kind: "quantized-base", tensor: path });
  });
});

describe("a GGUF file", () => {
  const path = fixture("quant/tiny.gguf");
  const load: Readonly<Record<string, () => ReturnType<typeof loadCausalLM>>> = {
    "by its path": () => loadPretrained(path, { device }),
    "as a File": () => loadCausalLM(new File([readFileSync(path)], "tiny.gguf"), { device }),
  };
  test.each(Object.entries(load))("%s: the logits of transformers, on weights as they lie in it", async (_, of) => {
    const model = await of();
    const ref = await fixtureTensors("quant/tiny_gguf.safetensors", device);
    expect(await worstError(model.forward({ inputIds: ref.get("input_ids")! }).logits, ref.get("logits")!)).toBeLessThan(1e-5);
    const matrices = [...model.weights].filter(([, t]) => t.shape.length === 2 && isPacked(t)).map(([name]) => name);
    expect(matrices).toContain("model.layers.0.self_attn.q_proj.weight");
  });

  test("a load that is stopped leaves nothing", async () => {
    const stop = new AbortController();
    await expect(loadPretrained(path, { device, signal: stop.signal, onProgress: () => stop.abort() })).rejects.toMatchObject({
      name: "CancelledError",
    });
  });
});
