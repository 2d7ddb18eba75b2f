import { readFileSync } from "node:fs";
import { type AdapterMethod, createAdapter, type LayerKind, zeros } from "@weft/tensor-core";
import { expect, it } from "vitest";
import { LOHA, LohaConfig, LOKR, LokrConfig } from "./index.js";

interface Fixture {
  seed: number;
  cases: {
    name: string;
    method: "LOHA" | "LOKR";
    config: Record<string, unknown>;
    layers: { type: string; shape: number[]; groups: number }[];
    params: Record<string, { shape: number[]; values: number[] }>;
  }[];
}

const { seed, cases } = JSON.parse(readFileSync(new URL("init.fixture.json", import.meta.url), "utf8")) as Fixture;
const KINDS: Record<string, LayerKind> = { Linear: "linear", Conv1d: "conv1d", Conv2d: "conv2d" };
const METHODS = { LOHA: { method: LOHA, Config: LohaConfig }, LOKR: { method: LOKR, Config: LokrConfig } };

it.each(cases)("$name begins with PEFT's parameters, bit for bit", async ({ method: name, config, layers, params }) => {
  const { method, Config } = METHODS[name];
  const inputs = layers.map(({ type, shape, groups }, i) => {
    const each = shape.slice(2);
    const conv = { stride: each.map(() => 1), padding: each.map(() => 0), dilation: each.map(() => 1), groups };
    return [`${i}`, { kind: KINDS[type]!, weight: zeros(shape), ...(each.length > 0 && { conv }) }] as const;
  });
  const adapter = await createAdapter(method as AdapterMethod<unknown>, new Config({ r: 2, ...config }), Object.fromEntries(inputs), {
    seed,
  });
  const found: Record<string, { shape: number[]; values: number[] }> = {};
  for (const [path, layer] of adapter.layers)
    for (const [parameter, t] of Object.entries(layer.params))
      found[`${path}.${method.keys()[parameter]![0]}`] = { shape: [...t.shape], values: [...(await t.data())] };
  expect(found).toEqual(params);
});
