import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ADAPTER_METHODS } from "@weft/methods";
import { kasaLoss, LORA, LoraConfig } from "@weft/adapters-lora";
import { openWeights } from "@weft/io-safetensors/node";
import { add, type LayerSpec, matmul, mean, mul, type Params, reshape, slice, type Tensor, tensor } from "@weft/tensor-core";
import { afterAll, describe, expect, it } from "vitest";
import { loadPeftModel } from "@weft/registry/node";
import { savePretrained } from "@weft/registry/node";
import { readTensor } from "@weft/adapter-files";
import { addArrowRouter } from "./arrow-router.js";
import { getPeftModel } from "@weft/registry";
import type { HookedModel } from "@weft/registry";
import type { PeftModel } from "@weft/registry";
import { Mlp } from "./testing/mlp.js";
import { initializeLoraCordaWeights } from "./initialize-corda.js";
import { initializeLoraEvaWeights } from "./initialize-eva.js";
import { initializeLoraGaWeights } from "./initialize-lora-ga.js";
import { initializeLoraLoftQWeights } from "./initialize-loftq.js";

const home = fileURLToPath(new URL("../../../fixtures/starts/", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "weft-starts-"));
afterAll(() => rmSync(folder, { recursive: true }));
const cases = (prefix: string): string[] =>
  readdirSync(home)
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.replace(".safetensors", ""));

async function fixture(name: string) {
  const source = await openWeights(`${home}${name}.safetensors`);
  const all = new Map(await Promise.all([...source.names()].map(async (key) => [key, await readTensor(source, key)] as const)));
  const under = (prefix: string): Map<string, Tensor> =>
    new Map([...all].filter(([key]) => key.startsWith(prefix)).map(([key, t]) => [key.slice(prefix.length), t]));
  const json = (key: string): Record<string, unknown> => JSON.parse(source.metadata.get(key) ?? "{}") as Record<string, unknown>;
  return { all, under, json, model: new Mlp(under("base.")), batches: [...under("batch.").values()] };
}

async function gap(a: Tensor, b: Tensor): Promise<number> {
  expect(a.shape).toEqual(b.shape);
  const [x, y] = [await a.data(), await b.data()];
  return Math.max(...Array.from(x, (v, i) => Math.abs(v - y[i]!)));
}

/** As `gap`, where each row (axis 0) or column (1) may have the other sign. */
async function signedGap(a: Tensor, b: Tensor, axis: 0 | 1): Promise<number> {
  const [x, y] = [await a.data(), await b.data()];
  const [count, cols] = [a.shape[axis]!, a.shape[1]!];
  const off = (sign: number, line: number): number =>
    Math.max(...Array.from(x, (v, i) => ((axis === 0 ? Math.floor(i / cols) : i % cols) === line ? Math.abs(v - sign * y[i]!) : 0)));
  return Math.max(...Array.from({ length: count }, (_, line) => Math.min(off(1, line), off(-1, line))));
}

const paramsAt = (peft: PeftModel<Tensor, Tensor>, path: string): Params => peft.state("default").layers.get(path)![0]!.params;

/** Compares products and bases with PEFT's: singular vectors have either sign. */
async function expectStart(
  peft: PeftModel<Tensor, Tensor>,
  { under }: Awaited<ReturnType<typeof fixture>>,
  tolerance = 2e-5,
): Promise<void> {
  for (const [path, A] of under("A.")) {
    const [own, B] = [paramsAt(peft, path), under("B.").get(path)!];
    expect(await gap(matmul(own["B"]!, own["A"]!), matmul(B, A)), path).toBeLessThan(tolerance);
    expect(await gap(peft.state("default").expected.get(`${path}.weight`)!, under("residual.").get(path)!), path).toBeLessThan(tolerance);
  }
}

/** What is saved is for the original base, and does what the adapter did. */
async function expectSaved(peft: PeftModel<Tensor, Tensor>, model: Mlp, x: Tensor, name: string): Promise<void> {
  const parameters = peft.parameters();
  const trained = Object.fromEntries(Object.entries(parameters.layers).map(([path, { A, B }]) => [path, { A: mul(A!, 1.5), B: B! }]));
  peft.setParameters({ ...parameters, layers: trained });
  await savePretrained(peft as never, join(folder, name));
  const again = await loadPeftModel(model, join(folder, name), { methods: ADAPTER_METHODS });
  expect(again.state("default").config.values).toMatchObject({ initLoraWeights: true });
  expect(await gap(again.forward(x), peft.forward(x))).toBeLessThan(1e-5);
  expect(await gap(again.forward(x), model.forward(x))).toBeGreaterThan(1e-2);
}

describe("CorDA", () => {
  it.each(cases("corda_"))("%s begins as in PEFT, and is saved for the original base", async (name) => {
    const found = await fixture(name);
    const { model, batches, json } = found;
    const peft = await getPeftModel(model, new LoraConfig({ ...json("config"), target_modules: ["lin0", "lin1"] }), {
      methods: ADAPTER_METHODS,
    });
    await initializeLoraCordaWeights(peft, batches);
    await expectStart(peft, found, 2e-4);
    expect(await gap(peft.forward(batches[0]!), model.forward(batches[0]!))).toBeLessThan(1e-5);
    await expectSaved(peft, model, batches[0]!, name);
  });
});

describe("LoRA-GA", () => {
  it.each(cases("lora_ga_"))("%s begins as in PEFT, and is saved for the original base", async (name) => {
    const found = await fixture(name);
    const { model, batches, json } = found;
    const peft = await getPeftModel(model, new LoraConfig({ ...json("config"), target_modules: ["lin0", "lin1"] }), {
      methods: ADAPTER_METHODS,
    });
    await initializeLoraGaWeights(peft, (base, x: Tensor) => mean(mul(base.forward(x), base.forward(x))), batches);
    const s = new LoraConfig(json("config")).scaling;
    // PEFT estimates the weight's largest singular value by a randomised decomposition.
    const tolerance = name === "lora_ga_weight" ? 1e-2 : 1e-4;
    for (const [path, A] of found.under("A.")) {
      // Which sign a singular vector has is PEFT's chance, and A and B take different ones: their product has either sign, too.
      const own = paramsAt(peft, path);
      expect(await signedGap(own["A"]!, A, 0), path).toBeLessThan(1e-4);
      expect(await signedGap(own["B"]!, found.under("B.").get(path)!, 1), path).toBeLessThan(tolerance);
      const taken = add(peft.state("default").expected.get(`${path}.weight`)!, mul(matmul(own["B"]!, own["A"]!), s));
      expect(await gap(taken, model.weights.get(`${path}.weight`)!), path).toBeLessThan(1e-5);
    }
    await expectSaved(peft, model, batches[0]!, name);
  });

  it("a weight that the loss does not depend on is an error", async () => {
    const { model, batches } = await fixture("lora_ga_default");
    const peft = await getPeftModel(model, new LoraConfig({ r: 2, targetModules: ["lin0"] }), { methods: ADAPTER_METHODS });
    await expect(initializeLoraGaWeights(peft, (_, x: Tensor) => mean(x), batches)).rejects.toThrow("does not depend on lin0.weight");
  });
});

describe("LoftQ", () => {
  it.each(cases("loftq_"))("%s: the base is quantised, the factors are the largest part of the loss", async (name) => {
    const found = await fixture(name);
    const { model, json } = found;
    const peft = await getPeftModel(model, new LoraConfig({ ...json("config"), target_modules: ["lin0", "lin1"] }), {
      methods: ADAPTER_METHODS,
    });
    await initializeLoraLoftQWeights(peft as never);
    await expectStart(peft, found);
  });

  it("takes any quantiser", async () => {
    const { model } = await fixture("loftq_nf4");
    const peft = await getPeftModel(model, new LoraConfig({ target_modules: ["lin0"], r: 3 }), { methods: ADAPTER_METHODS });
    await initializeLoraLoftQWeights(peft as never, { quantise: async (values) => values.map(Math.round) });
    const base = await peft.state("default").expected.get("lin0.weight")!.data();
    expect(base.every(Number.isInteger)).toBe(true);
  });
});

describe("EVA", () => {
  it.each(cases("eva_"))("%s: components and ranks are PEFT's", async (name) => {
    const { model, batches, json, under } = await fixture(name);
    const { result, config } = { result: json("result"), config: json("config") };
    const peft = await getPeftModel(model, new LoraConfig({ ...config, target_modules: model.layers().map(({ path }) => path) }), {
      methods: ADAPTER_METHODS,
    });
    await initializeLoraEvaWeights(peft, batches);
    const { layers, config: now } = peft.state("default");
    expect([...layers.keys()].toSorted()).toEqual([...under("A.").keys()].toSorted());
    for (const [path, A] of under("A.")) {
      // Components of nearly equal strength turn among each other; the randomised decomposition of PEFT is off by as much.
      expect(await gap(paramsAt(peft, path)["A"]!, A), path).toBeLessThan(0.02);
      expect((await paramsAt(peft, path)["B"]!.data()).every((v) => v === 0)).toBe(true);
    }
    expect({
      target_modules: [...(now.values["targetModules"] as string[])].toSorted(),
      rank_pattern: now.values["rankPattern"],
      alpha_pattern: now.values["alphaPattern"],
    }).toEqual(result);
    await savePretrained(peft as never, join(folder, name));
    const again = await loadPeftModel(model, join(folder, name), { methods: ADAPTER_METHODS });
    expect(await gap(again.forward(batches[0]!), model.forward(batches[0]!))).toBe(0);
  });

  it("looks at tokens alone that are not padded and have a label", async () => {
    const { model, batches, json } = await fixture("eva_default");
    const [first, second] = batches.map((x) => reshape(x, [1, 40, 16])) as [Tensor, Tensor];
    const config = new LoraConfig({ ...json("config"), target_modules: ["lin0", "lin1"] });
    const start = async (inputs: readonly object[], read: (inputs: never) => Tensor): Promise<PeftModel<never, Tensor>> => {
      const reader = (of: Mlp): HookedModel<never, Tensor> => ({
        weights: of.weights,
        layers: () => of.layers(),
        namedModules: () => of.namedModules(),
        withWeights: (changes) => reader(of.withWeights(changes)),
        forward: (given, hook) => of.forward(read(given), hook),
      });
      const peft = await getPeftModel(reader(model), config, { methods: ADAPTER_METHODS });
      await initializeLoraEvaWeights(peft, inputs as never);
      return peft;
    };
    const integers = (f: (i: number) => number): Tensor =>
      tensor(
        Int32Array.from({ length: 40 }, (_, i) => f(i)),
        { shape: [1, 40] },
      );
    const [attentionMask, labels] = [integers((i) => (i < 30 ? 1 : 0)), integers((i) => (i < 4 ? -100 : 7))];
    const masked = await start(
      [
        { x: first, attentionMask, labels },
        { x: second, attentionMask, labels },
      ],
      ({ x }: { x: Tensor }) => x,
    );
    const cut = [first, second].map((x) => slice(x, [undefined, [4, 30]]));
    const rows = await start(
      cut.map((x) => ({ x })),
      ({ x }: { x: Tensor }) => x,
    );
    const A = (peft: PeftModel<never, Tensor>): Tensor => peft.state("default").layers.get("lin0")![0]!.params["A"]!;
    expect(await gap(A(masked), A(rows))).toBe(0);
    expect(await gap(A(masked), A(await start([{ x: first }, { x: second }], ({ x }: { x: Tensor }) => x)))).toBeGreaterThan(0.01);
  });

  it("batches that are too small are an error", async () => {
    const { model } = await fixture("eva_default");
    const peft = await getPeftModel(model, new LoraConfig({ r: 3, targetModules: ["lin0"] }), { methods: ADAPTER_METHODS });
    const batch = tensor(Float32Array.from({ length: 48 }, Math.sin), { shape: [3, 16] });
    await expect(initializeLoraEvaWeights(peft, [batch])).rejects.toThrow("no batch has 6 rows");
  });
});

describe("starts refuse what they do not fit", () => {
  it("another method, a variant, a changed base", async () => {
    const { model, batches } = await fixture("corda_ipm");
    const start = async (config: LoraConfig): Promise<void> =>
      initializeLoraCordaWeights(await getPeftModel(model, config, { methods: ADAPTER_METHODS }), batches);
    await expect(start(new LoraConfig({ r: 2, targetModules: ["lin0"], kasaConfig: { beta: 0, gamma: 0 } }))).rejects.toThrow(
      "kasa_config",
    );
    await expect(start(new LoraConfig({ r: 2, targetModules: ["lin0"], initLoraWeights: "pissa" }))).rejects.toThrow("changed the base");
    await expect(
      getPeftModel(model, new LoraConfig({ r: 2, targetModules: ["lin0"], initLoraWeights: "corda" }), { methods: ADAPTER_METHODS }),
    ).rejects.toMatchObject({
      hint: expect.stringContaining("initializeLoraCordaWeights") as string,
    });
  });
});

describe("Arrow", () => {
  const routed = async (name: string, config: Readonly<Record<string, unknown>> = { topK: 2, routerTemperature: 0.7, rngSeed: 5 }) => {
    const { model, all } = await fixture(name);
    const count = Math.max(...[...all.keys()].flatMap((key) => (/^\d/.test(key) ? [Number(key[0])] : []))) + 1;
    const peft = await getPeftModel(model, new LoraConfig({ r: 3, targetModules: ["lin0"] }), {
      methods: ADAPTER_METHODS,
      adapterName: "other",
    });
    for (let i = 0; i < count; i++) {
      const lora = new LoraConfig({ r: 3, loraAlpha: 3 + i, useRslora: count > 4, targetModules: ["lin0", "lin1"] });
      await peft.addAdapter(`${i}`, lora);
      const layers = Object.fromEntries(
        ["lin0", "lin1"].map((path) => [path, { A: all.get(`${i}.A.${path}`)!, B: all.get(`${i}.B.${path}`)! }]),
      );
      peft.setParameters({ ...peft.parameters(`${i}`), layers }, `${i}`);
    }
    const general = count > 4 ? { generalAdapterNames: ["4", "5"] } : {};
    return { peft, model, all, add: () => addArrowRouter(peft as never, ["0", "1", "2", "3"], { ...general, config }) };
  };

  it.each(cases("arrow"))("%s: each token takes the experts that PEFT gives it", async (name) => {
    const { peft, all, add: addRouter } = await routed(name);
    addRouter();
    expect(peft.activeAdapters).toEqual(["arrow_router"]);
    expect(await gap(peft.forward(all.get("x")!), all.get("y")!)).toBeLessThan(2e-5);
    peft.setAdapter("0");
    expect(await gap(peft.forward(all.get("x")!), all.get("y")!)).toBeGreaterThan(0.01);
  });

  it("is neither merged nor saved, and takes only what it can route to", async () => {
    const { peft, add: addRouter } = await routed("arrow");
    addRouter();
    expect(() => peft.mergeAdapter()).toThrow(/each token has its own mixture/);
    await expect(savePretrained(peft as never, join(folder, "arrow"))).rejects.toMatchObject({ kind: "not-peft" });
    expect(() => addArrowRouter(peft as never, ["0", "other"], { adapterName: "b", config: { topK: 1 } })).toThrow(/does not have lin1/);
    expect(() => addArrowRouter(peft as never, ["0"], { adapterName: "b", config: { topK: 2 } })).toThrow(/top_k is 2/);
    expect(() => addArrowRouter(peft as never, ["0"], { adapterName: "b", config: { topk: 1 } })).toThrow(/no field "topk"/);
  });
});

describe("training of variants", () => {
  const layer: LayerSpec = { kind: "linear", shape: [24, 16], dtype: "f32", bias: true };

  it("MonteCLoRA moves A by PEFT's noise for the same draws, and not without", async () => {
    const { all, under } = await fixture("monteclora");
    const config = new LoraConfig({ r: 3, lora_alpha: 6, monteclora_config: { num_samples: 4, sample_scaler: 0.3, buffer_size: 1 } });
    const draws = ["wishart", "dirichlet", "mvn"].map((name) => all.get(`noise.${name}`)!);
    const noise = (shape: readonly number[]): Tensor => draws.find((t) => t.shape.join() === shape.join())!;
    const base = { weight: all.get("base.lin0.weight")!, bias: all.get("base.lin0.bias")! };
    const params = Object.fromEntries(under("params."));
    const run = (extra: object): Tensor => LORA.forward(all.get("x")!, base, params, { layer, config, scale: 1, ...extra });
    expect(await gap(run({ noise }), all.get("y")!)).toBeLessThan(1e-4);
    expect(await gap(run({}), all.get("y")!)).toBeGreaterThan(0.05);
  });

  it("KaSA's regularisers are PEFT's", async () => {
    const { all, under } = await fixture("kasa");
    const loss = kasaLoss(Object.fromEntries(under("params.")), { beta: 0.3, gamma: 0.7 });
    expect(await loss.item()).toBeCloseTo((await all.get("loss")!.data())[0] as number, 4);
  });
});
