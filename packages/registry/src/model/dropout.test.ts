import { ADAPTER_METHODS } from "@weft/methods";
import { LoraConfig, VeraConfig } from "@weft/adapters-lora";
import { LohaConfig } from "@weft/adapters-lycoris";
import { BOFTConfig, OFTConfig } from "@weft/adapters-orthogonal";
import { DeloraConfig, HiraConfig, MissConfig, PveraConfig, RandLoraConfig } from "@weft/adapters-structured";
import { compile, createReferenceBackend, Device, ones, randomKey, type Tensor, tensor } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import type { ConfigInput } from "./new-adapter.js";
import { PeftModel } from "./peft-model.js";
import { drawn, oneLayer } from "../testing/one-layer.js";

async function adapted(config: ConfigInput): Promise<PeftModel<Tensor, Tensor>> {
  const peft = new PeftModel(oneLayer(drawn([8, 8], 1)), ADAPTER_METHODS);
  await peft.addAdapter("default", config);
  const parameters = peft.parameters();
  const fc = Object.fromEntries(Object.entries(parameters.layers.fc!).map(([name, t], i) => [name, drawn(t.shape, i + 2)]));
  peft.setParameters({ ...parameters, layers: { fc } });
  return peft;
}

const x = drawn([6, 8], 9);
const values = async (t: Tensor): Promise<number[]> => [...(await t.data())];

const targetModules = ["fc"];
const METHODS: readonly (readonly [field: string, ConfigInput])[] = [
  ["lora_dropout", new LoraConfig({ r: 2, loraDropout: 0.5, targetModules })],
  ["lora_dropout with DoRA", new LoraConfig({ r: 2, loraDropout: 0.5, useDora: true, targetModules })],
  ["vera_dropout", new VeraConfig({ r: 2, vera_dropout: 0.5, targetModules })],
  ["rank_dropout", new LohaConfig({ r: 2, rankDropout: 0.5, targetModules })],
  ["module_dropout", new LohaConfig({ r: 2, moduleDropout: 0.5, targetModules })],
  ["boft_dropout", new BOFTConfig({ boftDropout: 0.5, targetModules })],
  ["module_dropout of OFT", new OFTConfig({ oftBlockSize: 2, moduleDropout: 0.5, targetModules })],
  ["module_dropout of DeLoRA", new DeloraConfig({ r: 2, module_dropout: 0.5, targetModules })],
  ["hira_dropout", new HiraConfig({ r: 2, hira_dropout: 0.5, targetModules })],
  ["miss_dropout", new MissConfig({ r: 2, miss_dropout: 0.5, targetModules })],
  ["randlora_dropout", new RandLoraConfig({ r: 2, randlora_dropout: 0.5, targetModules })],
  ["pvera_dropout", new PveraConfig({ r: 2, pvera_dropout: 0.5, targetModules })],
];

describe.each(METHODS)("%s", (_, config) => {
  it("acts in training, by its key, and never in evaluation", async () => {
    const peft = await adapted(config);
    const plain = { ...config, peftType: (config as { peftType: string }).peftType } as { [field: string]: unknown };
    for (const field of Object.keys(plain)) if (/dropout/i.test(field)) plain[field] = 0;
    const without = await adapted(plain as never);
    expect(await values(peft.forward(x))).toEqual(await values(without.forward(x)));
    const runs = await Promise.all([1, 2, 3, 4, 1].map((key) => values(peft.forward(x, { dropoutKey: randomKey(key) }))));
    expect(runs[4]).toEqual(runs[0]);
    expect(new Set(runs.map(String)).size).toBeGreaterThan(1);
  });
  it("asks a training step whether it drops", async () => {
    const peft = await adapted(config);
    const step = peft.withParameters(peft.parameters());
    expect(() => step.forward(x)).toThrow(expect.objectContaining({ kind: "dropout-undecided" }));
    expect(await values(step.forward(x, { dropoutKey: null }))).toEqual(await values(peft.forward(x)));
  });
});

it("drops of the input, not of the base's", async () => {
  const peft = await adapted(new LoraConfig({ r: 8, loraAlpha: 8, loraDropout: 0.5, targetModules }));
  const eye = tensor(
    Float32Array.from({ length: 64 }, (_, i) => (i % 9 === 0 ? 1 : 0)),
    { shape: [8, 8] },
  );
  peft.setParameters({ ...peft.parameters(), layers: { fc: { A: eye, B: eye } } });
  const base = await values(peft.baseModel.forward(ones([6, 8])));
  const change = (await values(peft.forward(ones([6, 8]), { dropoutKey: randomKey(3) }))).map(
    (v, i) => Math.round((v - base[i]!) * 1e4) / 1e4,
  );
  expect(new Set(change)).toEqual(new Set([0, 2]));
});

it("draws anew in every step of one compiled function", async () => {
  using device = new Device(createReferenceBackend());
  const peft = await adapted(new LoraConfig({ r: 2, loraDropout: 0.5, targetModules }));
  let traces = 0;
  const step = compile(
    (parameters: ReturnType<typeof peft.parameters>, dropoutKey: Tensor) => {
      traces++;
      return peft.withParameters(parameters).forward(x, { dropoutKey });
    },
    { device },
  );
  const runs: number[][] = [];
  for (const key of [1, 2, 1]) runs.push(await values((await step(peft.parameters(), randomKey(key))) as Tensor));
  expect(runs[1]).not.toEqual(runs[0]);
  expect(runs[2]).toEqual(runs[0]);
  expect(traces).toBe(1);
});

it("does not go with merged adapters or one per row", async () => {
  const peft = await adapted(new LoraConfig({ r: 2, loraDropout: 0.5, targetModules }));
  const dropoutKey = randomKey(1);
  expect(() => peft.forward(x, { dropoutKey, adapterNames: Array<string>(6).fill("default") })).toThrow(
    "an adapter per row does not train",
  );
  peft.mergeAdapter();
  expect(() => peft.forward(x, { dropoutKey })).toThrow("merged adapters does not train");
});

it("PVeRA draws around its mean in training, and at inference where the config asks for it", async () => {
  const peft = await adapted(new PveraConfig({ r: 2, sampleAtInference: true, targetModules }));
  expect(() => peft.forward(x)).toThrow("sample_at_inference draws in every pass");
  const [a, b] = [await values(peft.forward(x, { dropoutKey: randomKey(1) })), await values(peft.forward(x, { dropoutKey: randomKey(2) }))];
  expect(a).not.toEqual(b);
});
