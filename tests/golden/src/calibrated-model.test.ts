import { LLAMA, LlamaForCausalLM } from "@weft/models";
import { loadPretrained } from "@weft/models/node";
import { fileURLToPath } from "node:url";
import { Device, dequantize as values, type Tensor } from "@weft/tensor-core";
import { createWasmBackend } from "@weft/kernels-wasm";
import { beforeAll, describe, expect, it, test } from "vitest";
import {
  awq,
  calibrate,
  calibrationSamples,
  gptq,
  inputStatistics,
  quantize,
  quantizeAWQ,
  quantizeGPTQ,
  type QuantizedModel,
  type QuantFormat,
  toPacked,
} from "@weft/quant-nf4-awq";

const folder = fileURLToPath(new URL("../../../fixtures/models/llama", import.meta.url));
const samples = Array.from({ length: 6 }, (_, s) => Int32Array.from({ length: 9 + s }, (__, i) => (7 * i * i + 13 * s + i) % 96));
let device: Device;
let model: LlamaForCausalLM;
beforeAll(async () => {
  device = new Device(await createWasmBackend({ threads: 1, relaxed: false }));
  model = await loadPretrained(folder, { device, architecture: LLAMA });
});

const logitsOf = async (m: LlamaForCausalLM): Promise<Float32Array> => {
  const all: number[] = [];
  for (const ids of samples) all.push(...(await m.forward({ inputIds: device.tensor(ids, { shape: [1, ids.length] }) }).logits.data()));
  return Float32Array.from(all);
};
const distance = (a: Float32Array, b: Float32Array): number => Math.sqrt(a.reduce((sum, v, i) => sum + (v - b[i]!) ** 2, 0));
/** The model with weights in their place. */
function withWeights({ weights, parameters }: Pick<QuantizedModel, "weights" | "parameters">): LlamaForCausalLM {
  const changes = new Map<string, Tensor>();
  for (const [path, weight] of weights) changes.set(`${path}.weight`, values(toPacked({ ...weight, dtype: "f32" }, device)));
  for (const [name, data] of parameters) changes.set(name, device.tensor(data, { shape: model.weights.get(name)!.shape }));
  return model.withWeights(changes);
}
const linear = (): string[] =>
  Array.from({ length: model.blockCount }, (_, i) => model.sharedInputs(i).flatMap(({ layers }) => layers)).flat();
/** Every layer to the nearest. */
async function nearest(format: QuantFormat): Promise<Pick<QuantizedModel, "weights" | "parameters">> {
  const weights = new Map();
  for (const path of linear()) {
    const t = model.weights.get(`${path}.weight`)!;
    weights.set(path, quantize((await t.data()) as Float32Array, t.shape as [number, number], format, "f16"));
  }
  return { weights, parameters: new Map() };
}

test("calibrating sums what goes into layers, one sample after the other", async () => {
  const seen = new Map<string, Float32Array[]>();
  for (const ids of samples) {
    const captured = new Map<string, Tensor>();
    model.forward({ inputIds: device.tensor(ids, { shape: [1, ids.length] }) }, (path, _, __, x) => void captured.set(path, x));
    for (const path of linear()) seen.set(path, [...(seen.get(path) ?? []), (await captured.get(path)!.data()) as Float32Array]);
  }
  async function* stream(): AsyncGenerator<Int32Array> {
    yield* samples;
  }
  const whole = await calibrate(model, stream(), { device, gram: true });
  expect([...whole.keys()].sort()).toEqual(linear().sort());
  for (const [path, found] of whole) {
    let want: ReturnType<typeof inputStatistics> | undefined;
    for (const x of seen.get(path)!) want = inputStatistics(x, found.width, want);
    expect([found.samples, found.tokens]).toEqual([6, want!.tokens]);
    for (const name of ["squares", "magnitudes", "gram"] as const) {
      const size = Math.max(...want![name]!);
      found[name]!.forEach((v, i) => expect(Math.abs(v - want![name]![i]!) / size).toBeLessThan(1e-5));
    }
  }
  const few = await calibrate(model, samples, { device });
  for (const [path, { squares, gram }] of few) {
    expect(gram).toBeUndefined();
    squares.forEach((v, i) => expect(Math.abs(v - whole.get(path)!.squares[i]!) / Math.max(...squares)).toBeLessThan(1e-5));
  }
  expect(few.get("model.layers.0.self_attn.q_proj")).toBe(few.get("model.layers.0.self_attn.v_proj"));
});

describe("GPTQ of a model", () => {
  const options = { bits: 3, groupSize: 16, sym: false } as const;
  const only = { skip: (path: string) => model.weights.get(`${path}.weight`)!.shape.some((n) => n % 32 !== 0) };

  it("changes what comes out less than rounding does", async () => {
    const eight = { ...options, bits: 4 } as const;
    const own = await quantizeGPTQ(model, samples, { ...eight, device });
    expect([...own.weights.keys()].sort()).toEqual(linear().sort());
    const before = await logitsOf(model);
    const plain = await nearest(gptq({ ...eight, checkpointFormat: "gptq_v2" }));
    const [calibrated, rounded] = [
      distance(await logitsOf(withWeights(own)), before),
      distance(await logitsOf(withWeights(plain)), before),
    ];
    expect(calibrated).toBeLessThan(0.8 * rounded);
    for (const loss of own.losses.values()) expect(loss).toBeGreaterThan(0);
  });

  it("is the same when hidden states are computed again instead of kept", async () => {
    const kept = await quantizeGPTQ(model, samples, { ...options, ...only, device });
    const again = await quantizeGPTQ(model, samples, { ...options, ...only, device, keepStates: false });
    expect(kept.weights.size).toBeGreaterThan(2);
    for (const [path, weight] of kept.weights) expect(again.weights.get(path)!.parts, path).toEqual(weight.parts);
  });

  it("lets later layers of a block see what the earlier ones have become, or not", async () => {
    const [sequential, at_once] = await Promise.all([
      quantizeGPTQ(model, samples, { ...options, ...only, device }),
      quantizeGPTQ(model, samples, { ...options, ...only, device, trueSequential: false }),
    ]);
    const q = "model.layers.0.self_attn.q_proj";
    expect(at_once.weights.get(q)!.parts).toEqual(sequential.weights.get(q)!.parts);
    const o = "model.layers.0.self_attn.o_proj";
    expect(at_once.weights.get(o)!.parts).not.toEqual(sequential.weights.get(o)!.parts);
  });
});

describe("AWQ of a model", () => {
  it("folds its scales so that the model computes the same, and rounds it better", async () => {
    const before = await logitsOf(model);
    const rounded = distance(await logitsOf(withWeights(await nearest(awq({ groupSize: 8 })))), before);
    const own = await quantizeAWQ(model, samples, { groupSize: 8, device });
    expect([...own.weights.keys()].sort()).toEqual(linear().sort());
    expect([...own.parameters.keys()].sort()).toEqual(
      [0, 1].flatMap((i) => ["input", "post_attention"].map((n) => `model.layers.${i}.${n}_layernorm.weight`)).sort(),
    );
    expect(distance(await logitsOf(withWeights(own)), before)).toBeLessThan(rounded);
    for (const [norm, layer] of [
      ["model.layers.1.input_layernorm.weight", "model.layers.1.self_attn.k_proj"],
      ["model.layers.0.post_attention_layernorm.weight", "model.layers.0.mlp.gate_proj"],
    ] as const) {
      const [was, is] = [(await model.weights.get(norm)!.data()) as Float32Array, own.parameters.get(norm)!];
      const scaled = await values(toPacked({ ...own.weights.get(layer)!, dtype: "f32" })).data();
      const want = (await model.weights.get(`${layer}.weight`)!.data()) as Float32Array;
      const got = Float32Array.from(scaled, (v, i) => (v * is[i % 32]!) / was[i % 32]!);
      expect(Math.max(...was.map((v, i) => v / is[i]!))).toBeGreaterThan(1.1);
      expect(distance(got, want)).toBeLessThan(0.1 * distance(new Float32Array(want.length), want));
      expect(distance(Float32Array.from(scaled), want)).toBeGreaterThan(1.5 * distance(got, want));
    }
  });

  it("divides weights that are not quantised where scales go into them", async () => {
    const before = await logitsOf(model);
    const skip = (path: string): boolean => path.endsWith("up_proj") || path.endsWith("v_proj");
    const own = await quantizeAWQ(model, samples, { groupSize: 8, device, skip });
    expect([...own.parameters.keys()].filter((name) => name.endsWith("up_proj.weight"))).toHaveLength(2);
    const rounded = distance(await logitsOf(withWeights(await nearest(awq({ groupSize: 8 })))), before);
    expect(distance(await logitsOf(withWeights(own)), before)).toBeLessThan(rounded);
  });
});

test("samples are cut from text and from lines of JSON", async () => {
  const tokenize = (text: string): number[] => Array.from(text, (c) => c.charCodeAt(0));
  const all = async (text: string, options: object): Promise<number[][]> => {
    const found: number[][] = [];
    for await (const ids of calibrationSamples(text, { tokenize, length: 4, ...options })) found.push([...ids]);
    return found;
  };
  expect(await all("abcdefghij", {})).toEqual([tokenize("abcd"), tokenize("efgh")]);
  expect(await all("abcdefghij", { count: 1 })).toHaveLength(1);
  const lines = '{"text":"abc"}\n\n{"text":"de"}\n{"text":[1,2,3]}\n';
  expect(await all(lines, { format: "jsonl" })).toEqual([tokenize("abcd"), [101, 1, 2, 3]]);
  await expect(all('{"text":"a"}\n{"body":"b"}', { format: "jsonl" })).rejects.toThrow('calibration, line 2: "text" is missing');
  await expect(all("{", { format: "jsonl" })).rejects.toThrow("calibration, line 1: is no JSON");
  await expect(quantizeAWQ(model, samples, { groupSize: 16, device })).rejects.toThrow(
    "mlp.down_proj: awq-g16 does not hold a weight of [32,56]",
  );
  await expect(calibrate(model, [], { device })).rejects.toThrow("there are no samples");
  await expect(quantizeGPTQ(model, [[]], { device })).rejects.toThrow("sample 0 has no tokens");
});
