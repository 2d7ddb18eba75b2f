import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ADAPTER_METHODS } from "@weft/methods";
import { openWeights } from "@weft/io-safetensors/node";
import {
  add,
  forwardBase,
  grad,
  type LayerSpec,
  matmul,
  mul,
  randomKey,
  reshape,
  silu,
  slice,
  sum,
  swapLast,
  tensor,
  type Tensor,
} from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { openAdapterFolder } from "@weft/adapter-files/node";
import { readTensor } from "@weft/adapter-files";
import { adapterFiles } from "./adapter-files.js";
import type { HookedLayer, HookedModel, LayerHook } from "./hooked-model.js";
import { PeftModel } from "./peft-model.js";

const names = fileURLToPath(new URL("../../../../fixtures/names/", import.meta.url));
const EXPERTS = 3;

/** A block of experts over a checkpoint of either form: each expert's matrices are layers, or all are stacked in parameters. */
class Experts implements HookedModel<Tensor, Tensor> {
  readonly config: { readonly modelType: string };
  constructor(
    readonly weights: ReadonlyMap<string, Tensor>,
    readonly modelType: string,
  ) {
    this.config = { modelType };
  }
  layers(): HookedLayer[] {
    return [...this.weights].flatMap(([name, weight]) => {
      const stacked = weight.shape.length === 3;
      if (weight.shape.length === 1) return [];
      const kind = stacked ? "parameter" : "linear";
      const layer: LayerSpec = { kind, shape: weight.shape, dtype: weight.dtype, bias: false, transposed: false };
      return [{ path: stacked ? name : name.slice(0, -".weight".length), layer, base: { weight } }];
    });
  }
  *namedModules(): Generator<[string, { kind: string }]> {
    for (const { path, layer } of this.layers()) yield [path, { kind: layer.kind }];
  }
  withWeights(changes: ReadonlyMap<string, Tensor>): Experts {
    return new Experts(new Map([...this.weights, ...changes]), this.modelType);
  }
  /** Σₑ downₑ(silu(gateₑ·y) ∘ upₑ·y) of y = q_proj·x. */
  forward(x: Tensor, hook?: LayerHook): Tensor {
    const layers = this.layers();
    const run = (ending: RegExp, input: Tensor): Tensor => {
      const { path, layer, base } = layers.find((found) => ending.test(found.path))!;
      return hook?.(path, layer, base, input) ?? forwardBase(layer, base, input);
    };
    const stack = (ending: RegExp, e: number): Tensor | undefined => {
      const found = layers.find(({ path, layer }) => layer.kind === "parameter" && ending.test(path))?.base.weight;
      return found && swapLast(reshape(slice(found, [[e, e + 1]]), found.shape.slice(1)));
    };
    const y = run(/self_attn\.q_proj$/, x);
    const results = Array.from({ length: EXPERTS }, (_, e) => {
      const [both, down] = [stack(/gate_up_proj$/, e), stack(/experts\.down_proj$/, e)];
      const of = (part: string): Tensor => run(new RegExp(`experts\\.${e}\\.(${part})$`), y);
      const fused = both && matmul(y, both);
      const middle = fused ? fused.shape[1]! / 2 : 0;
      const gate = fused ? slice(fused, [undefined, [0, middle]]) : of("w1|gate_proj");
      const up = fused ? slice(fused, [undefined, [middle, 2 * middle]]) : of("w3|up_proj");
      const h = mul(silu(gate), up);
      return down ? matmul(h, down) : run(new RegExp(`experts\\.${e}\\.(w2|down_proj)$`), h);
    });
    return results.reduce((sum, one) => add(sum, one));
  }
}

async function tensorsOf(file: string): Promise<Map<string, Tensor>> {
  const source = await openWeights(file);
  const read = [...source.names()].map(async (name) => [name, await readTensor(source, name)] as const);
  return new Map(await Promise.all(read));
}

async function load(family: string, form: string): Promise<Experts> {
  const config = JSON.parse(readFileSync(`${names}${family}/base/config.json`, "utf8")) as { model_type: string };
  return new Experts(await tensorsOf(`${names}${family}/${form}/model.safetensors`), config.model_type);
}

const x = tensor(
  Float32Array.from({ length: 32 }, (_, i) => Math.sin(1.7 * i)),
  { shape: [4, 8] },
);
const CASES = ["mixtral", "qwen3-moe"].flatMap((family) =>
  ["base", "model"].flatMap((form) => ["old", "fused"].map((adapter) => ({ family, form, adapter }))),
);

describe("an adapter on a model that holds its weights otherwise", () => {
  it.each(CASES)("$family: $adapter on $form is what PEFT makes of it", async ({ family, form, adapter }) => {
    const model = await load(family, form);
    const changed = await tensorsOf(`${names}${family}/${adapter}-${form}.safetensors`); // by PEFT
    const peft = await PeftModel.fromPretrained(
      model,
      await openAdapterFolder(`${names}${family}/${adapter}`, { methods: ADAPTER_METHODS }),
    );
    const merged = peft.mergeAndUnload();
    for (const [name, weight] of merged.weights) {
      const want = await (changed.get(name) ?? model.weights.get(name)!).data();
      expect(weight.shape, name).toEqual(model.weights.get(name)!.shape);
      expect(worst(await weight.data(), want), name).toBeLessThan(1e-5);
    }
    const want = await model.withWeights(changed).forward(x).data();
    expect(worst(await peft.forward(x).data(), want)).toBeLessThan(1e-5);
    expect(worst(await model.forward(x).data(), want)).toBeGreaterThan(1e-2);
    // Saved again it is the same adapter.
    const source = await openWeights(`${names}${family}/${adapter}/adapter_model.safetensors`);
    for await (const { tensors } of adapterFiles(peft as never)) {
      expect(tensors.map((t) => t.name).sort()).toEqual([...source.names()].sort());
      for (const { name, data } of tensors)
        expect(worst(new Float32Array(data.slice().buffer), await (await readTensor(source, name)).data())).toBe(0);
    }
  });
});

describe("what such an adapter cannot do", () => {
  const open = (adapter: string) => openAdapterFolder(`${names}mixtral/${adapter}`, { methods: ADAPTER_METHODS });
  it("change a weight in parts that another one changes as a whole", async () => {
    const peft = await PeftModel.fromPretrained(await load("mixtral", "model"), await open("old"));
    await peft.loadAdapter(await open("fused"), "fused");
    peft.setAdapter(["default", "fused"]);
    const refusal = { kind: "several-methods", tensor: "model.layers.0.mlp.experts.gate_up_proj" };
    expect(() => peft.forward(x)).toThrow(expect.objectContaining(refusal) as Error);
    expect(() => peft.mergeAndUnload()).toThrow(expect.objectContaining(refusal) as Error);
    peft.setAdapter("fused");
    expect(() => peft.forward(x)).not.toThrow();
  });
  it("act on some rows of a batch, or some tokens", async () => {
    const model = await load("mixtral", "model");
    const peft = await PeftModel.fromPretrained(model, await open("old"));
    expect(() => peft.forward(x, { adapterNames: ["default", "default", "__base__", "__base__"] })).toThrow(/experts.*for all rows/);
    const old = await open("old");
    const alora = { ...old, config: { ...old.config, values: { ...old.config.values, aloraInvocationTokens: [1] } } };
    await expect(PeftModel.fromPretrained(model, alora)).rejects.toMatchObject({ kind: "unsupported-placement" });
  });
});

it("drops nothing in training: what its config asks for is refused", async () => {
  const old = await openAdapterFolder(`${names}mixtral/old`, { methods: ADAPTER_METHODS });
  const dropping = { ...old, config: { ...old.config, values: { ...old.config.values, loraDropout: 0.5 } } };
  const peft = await PeftModel.fromPretrained(await load("mixtral", "model"), dropping);
  expect(() => peft.forward(x, { dropoutKey: randomKey(1) })).toThrow(/experts.*lora_dropout does not go with/);
  expect(() => peft.withParameters(peft.parameters()).forward(x, { dropoutKey: null })).not.toThrow();
});

it("trains: the loss's slope along an expert's factor is that of differences", async () => {
  const peft = await PeftModel.fromPretrained(
    await load("mixtral", "model"),
    await openAdapterFolder(`${names}mixtral/old`, { methods: ADAPTER_METHODS }),
  );
  const { layers, ...rest } = peft.parameters();
  const own = Object.keys(layers).find((key) => key.endsWith("experts.1.w2"))!;
  const at = (B: Tensor): Tensor => sum(peft.withParameters({ ...rest, layers: { ...layers, [own]: { ...layers[own], B } } }).forward(x));
  const B = layers[own]!["B"]!;
  const slope = await grad(at)(B).data();
  const h = 1e-2;
  const moved = (by: number): Tensor =>
    add(
      B,
      tensor(
        Float32Array.from({ length: B.size }, (_, i) => (i === 3 ? by : 0)),
        { shape: B.shape },
      ),
    );
  const difference = ((await at(moved(h)).item()) - (await at(moved(-h)).item())) / (2 * h);
  expect(difference).not.toBe(0);
  expect(slope[3]).toBeCloseTo(difference, 2);
});

function worst(got: ArrayLike<number>, want: ArrayLike<number>): number {
  expect(got.length).toBe(want.length);
  const size = Array.from(want).reduce((top, v) => Math.max(top, Math.abs(v)), 1e-6);
  return Array.from(got).reduce((top, v, i) => Math.max(top, Math.abs(v - want[i]!)), 0) / size;
}
