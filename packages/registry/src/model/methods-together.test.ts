import { LoraConfig } from "@weft/adapters-lora";
import { ADAPTER_METHODS } from "@weft/methods";
import {
  type AdapterMethod,
  type Attached,
  createAdapter,
  evaluate,
  readFields,
  sub as minus,
  type Tensor,
  tensor,
} from "@weft/tensor-core";
import { beforeAll, describe, expect, it } from "vitest";
import { filled } from "../testing/every-field.js";
import { drawn, oneLayer } from "../testing/one-layer.js";
import { smallConfig } from "../testing/small-config.js";
import { saveFiles } from "./adapter-files.js";
import { PeftModel } from "./peft-model.js";

/** Methods that are not on a linear layer, or of which no new adapter is made. */
const ELSEWHERE = ["NORM", "TRAINABLE_TOKENS", "LILY", "FROD"];
const METHODS = [...ADAPTER_METHODS].flatMap(([name, { method }]) =>
  method && !method.wholes && !method.mix && !method.takesTasks && !ELSEWHERE.includes(name) ? [method] : [],
);
/** Those whose W' is no W + ΔW of their parameters alone. */
const MULTIPLICATIVE = "IA3 LYCORIS_IA3 OFT BOFT HRA DIAG_OFT LYCORIS_BOFT ROAD HIRA GLORA LYCORIS_GLORA DEFT PEANUT LN_TUNING".split(" ");
const NAMES = METHODS.map(({ name }) => name);
const ADDITIVE = NAMES.filter((name) => !MULTIPLICATIVE.includes(name));

const [weight, bias] = [drawn([16, 16], 1), drawn([16], 7)];
const peft = new PeftModel(oneLayer(weight, bias), ADAPTER_METHODS);
const x = drawn([NAMES.length + 1, 16], 99);

/** An adapter with other numbers in all that it holds. */
async function addFilled(method: AdapterMethod<never>, seed: number): Promise<void> {
  const values = readFields(method.fields, smallConfig(method));
  const { params, shared, layer, config } = (
    await createAdapter(method, values as never, { fc: { weight, bias } }, { onWarning: () => {} })
  ).get("fc");
  const attached = { method, params: filled({ ...shared, ...params }, seed), context: { layer, config, scale: 1 } } as unknown as Attached;
  const adapter = { peftType: method.name, fields: method.fields, values, unknown: new Map() };
  peft.setState(
    { config: adapter, layers: new Map([["fc", [attached]]]), shared: {}, replaced: new Map(), expected: new Map() },
    method.name,
  );
}

const forward = (name: string): Tensor => {
  peft.setAdapter(name);
  return peft.forward(x);
};
const merged = (name: string): Tensor => peft.mergeAndUnload({ adapterNames: [name] }).forward(x);
const values = async (t: Tensor): Promise<number[]> => [...(await t.data())];

function expectNear(found: readonly number[], wanted: readonly number[], what: string): void {
  const size = Math.max(1, ...wanted.map(Math.abs));
  const worst = Math.max(...found.map((v, i) => Math.abs(v - wanted[i]!))) / size;
  expect(worst, what).toBeLessThan(1e-5);
}

beforeAll(async () => {
  for (const [i, method] of METHODS.entries()) await addFilled(method, 10 * i + 2);
});

describe("adapters of all methods", () => {
  it("act in one batch, each on its row", async () => {
    expect(NAMES.length).toBeGreaterThan(35);
    const rows = [...NAMES, "__base__"];
    const alone = new Map<string, number[]>();
    for (const name of NAMES) alone.set(name, await values(forward(name)));
    alone.set("__base__", await values(peft.baseModel.forward(x)));
    const row = (all: readonly number[], i: number): readonly number[] => all.slice(16 * i, 16 * (i + 1));
    const check = async (batch: Tensor, how: string): Promise<void> => {
      const mixed = await values(batch);
      for (const [i, name] of rows.entries()) expectNear(row(mixed, i), row(alone.get(name)!, i), `${name} ${how}`);
    };
    await check(peft.forward(x, { adapterNames: rows }), "by name");
    await peft.prepareBatch(NAMES);
    await check(peft.forward(x, { adapterIndex: tensor(Int32Array.from(rows, (name) => NAMES.indexOf(name))) }), "by number");
  });

  it("add up in pairs, unmerged and merged, wherever both add a change to the weight", async () => {
    expect(ADDITIVE.length).toBeGreaterThan(20);
    const base = peft.baseModel.forward(x);
    const effects = new Map<string, readonly [number[], number[]]>();
    for (const name of ADDITIVE) effects.set(name, [await values(minus(forward(name), base)), await values(minus(merged(name), base))]);
    for (const [i, a] of ADDITIVE.entries()) {
      const pairs = ADDITIVE.slice(i);
      const found: Tensor[] = [];
      for (const b of pairs) {
        await peft.addWeightedAdapter([a, b], [0.5, -2], "sum");
        found.push(minus(forward("sum"), base), minus(merged("sum"), base));
        peft.deleteAdapter("sum");
      }
      await evaluate(...found);
      for (const [j, b] of pairs.entries())
        for (const k of [0, 1] as const) {
          const [ofA, ofB] = [effects.get(a)![k], effects.get(b)![k]];
          expectNear(
            await values(found[2 * j + k]!),
            ofA.map((v, at) => 0.5 * v - 2 * ofB[at]!),
            `${a} and ${b}, ${k === 0 ? "unmerged" : "merged"}`,
          );
        }
    }
  });

  it("are refused by name and reason where there is no such change", async () => {
    for (const name of MULTIPLICATIVE)
      for (const other of NAMES)
        await expect(peft.addWeightedAdapter([other, name], [1, 1], "sum")).rejects.toMatchObject({
          kind: "not-combinable",
          message: expect.stringContaining(MULTIPLICATIVE.includes(other) ? other : name),
        });
    await peft.addAdapter("dora", new LoraConfig({ r: 2, useDora: true, targetModules: ["fc"] }));
    await expect(peft.addWeightedAdapter(["dora", "LORA"], [1, 1], "sum")).rejects.toThrow(
      "fc: LORA scales, turns or replaces what the layer has",
    );
  });
});

describe("a weighted sum of different methods", () => {
  it("is no file, but becomes a LoRA by its singular values", async () => {
    await peft.addWeightedAdapter(["FOURIERFT", "LORA"], [1, 2], "exact");
    expect(peft.parameters("exact").layers).toEqual({ fc: {} });
    await expect(saveFiles(peft as never, { adapterNames: ["exact"] })).rejects.toMatchObject({
      kind: "not-peft",
      hint: expect.stringContaining("{ rank }"),
    });
    const wanted = await values(merged("exact"));
    for (const combinationType of ["exact", "svd"] as const) {
      await peft.addWeightedAdapter(["FOURIERFT", "LORA"], [1, 2], "small", { combinationType, rank: 16 });
      expectNear(await values(merged("small")), wanted, combinationType);
      expect((await saveFiles(peft as never, { adapterNames: ["small"] })).has("small/adapter_model.safetensors")).toBe(true);
      peft.deleteAdapter("small");
    }
    await expect(peft.addWeightedAdapter(["FOURIERFT", "LORA"], [1, 2], "small", { combinationType: "linear" })).rejects.toThrow(
      "linear combines factors, which not all of the adapters have",
    );
    await expect(peft.addWeightedAdapter(["FOURIERFT", "LORA"], [1, 2], "small", { combinationType: "svd" })).rejects.toThrow(
      "svd needs the rank of the result",
    );
    await expect(peft.addWeightedAdapter(["FOURIERFT", "BEFT"], [1, 2], "small", { rank: 16 })).rejects.toThrow(
      "fc: BEFT changes the bias, too",
    );
  });
});
