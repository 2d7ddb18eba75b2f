import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { AdaLoraConfig, FourierFTConfig, IA3Config, LoraConfig, TrainableTokensConfig, VeraConfig } from "@weft/adapters-lora";
import { BOFTConfig, HRAConfig, OFTConfig } from "@weft/adapters-orthogonal";
import {
  C3AConfig,
  DeftConfig,
  DeloraConfig,
  GloraConfig,
  HiraConfig,
  MissConfig,
  RandLoraConfig,
  RoadConfig,
  VBLoRAConfig,
} from "@weft/adapters-structured";
import { ShiraConfig, WaveFTConfig } from "@weft/adapters-scatter";
import {
  add,
  compile,
  evaluate,
  forwardBase,
  type LayerSpec,
  mul,
  type Tensor,
  tensor,
  torchGenerator,
  torchNormal,
} from "@weft/tensor-core";
import { afterAll, beforeEach, describe, expect, it, test } from "vitest";
import { savePretrained } from "../node/save-pretrained.js";
import { loadAdapter, loadPeftModel } from "../node/load-peft-model.js";
import { glob } from "@weft/adapter-files";
import { getPeftModel } from "./get-peft-model.js";
import type { HookedLayer, HookedModel, HookedModule, LayerHook } from "./hooked-model.js";
import { injectAdapter } from "./inject-adapter.js";
import type { ConfigInput } from "./new-adapter.js";
import { PeftModel } from "./peft-model.js";
import { stateDict } from "./state-dict.js";

/** An embedding, two blocks of two linear layers, and a head, in the form that PeftModel asks for and nothing more. */
class Toy implements HookedModel<Tensor, Tensor> {
  constructor(readonly weights: ReadonlyMap<string, Tensor>) {}
  static random(): Toy {
    const generator = torchGenerator(1);
    const filled = (shape: number[]): Tensor =>
      tensor(
        torchNormal(
          generator,
          shape.reduce((a, b) => a * b),
          0,
          0.4,
        ),
        { shape },
      );
    const shapes = {
      "embed.weight": [20, 8],
      "blocks.0.up.weight": [12, 8],
      "blocks.0.up.bias": [12],
      "blocks.0.down.weight": [8, 12],
      "blocks.1.up.weight": [12, 8],
      "blocks.1.up.bias": [12],
      "blocks.1.down.weight": [8, 12],
      "head.weight": [20, 8],
    };
    return new Toy(new Map(Object.entries(shapes).map(([name, shape]) => [name, filled(shape)])));
  }
  layers(): HookedLayer[] {
    return ["embed", "blocks.0.up", "blocks.0.down", "blocks.1.up", "blocks.1.down", "head"].map((path) => {
      const [weight, bias] = [this.weights.get(`${path}.weight`)!, this.weights.get(`${path}.bias`)];
      const layer: LayerSpec = {
        kind: path === "embed" ? "embedding" : "linear",
        shape: weight.shape,
        dtype: "f32",
        bias: bias !== undefined,
      };
      return { path, layer, base: { weight, bias } };
    });
  }
  *namedModules(): Generator<[string, HookedModule]> {
    for (const path of ["blocks", "blocks.0", "blocks.1"]) yield [path, { kind: "other" }];
    for (const { path, layer } of this.layers()) yield [path, { kind: layer.kind, outputEmbedding: path === "head" }];
  }
  withWeights(changes: ReadonlyMap<string, Tensor>): Toy {
    return new Toy(new Map([...this.weights, ...changes]));
  }
  forward(ids: Tensor, hook?: LayerHook): Tensor {
    return this.layers().reduce((x, { path, layer, base }) => hook?.(path, layer, base, x) ?? forwardBase(layer, base, x), ids);
  }
}

const ids = tensor(Int32Array.from([3, 1, 7, 19, 0, 4]), { shape: [3, 2] });
const model = Toy.random();
const lora = (r: number, alpha = 8, more: object = {}): ConfigInput =>
  new LoraConfig({ r, loraAlpha: alpha, targetModules: ["up", "down"], ...more });
const folder = mkdtempSync(join(tmpdir(), "weft-peft-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let base: number[];
const values = async (t: Tensor): Promise<number[]> => Array.from(await t.data());
const gap = (a: readonly number[], b: readonly number[]): number => a.reduce((top, v, i) => Math.max(top, Math.abs(v - b[i]!)), 0);

/** Other values for everything that an adapter trains, so that it does something. */
async function randomise(peft: PeftModel<Tensor, Tensor>, name: string, seed = 5): Promise<void> {
  const generator = torchGenerator(seed);
  const change = (t: Tensor): Tensor => tensor(torchNormal(generator, t.size, 0, 0.3), { shape: t.shape });
  const { layers, replaced, ...rest } = peft.parameters(name);
  const all = (of: { readonly [n: string]: Tensor }) => Object.fromEntries(Object.entries(of).map(([n, t]) => [n, change(t)]));
  peft.setParameters(
    { layers: Object.fromEntries(Object.entries(layers).map(([path, p]) => [path, all(p)])), replaced: all(replaced), ...rest },
    name,
  );
}

async function withAdapters(...configs: readonly (readonly [string, ConfigInput])[]): Promise<PeftModel<Tensor, Tensor>> {
  const peft = new PeftModel(model, ADAPTER_METHODS);
  for (const [i, [name, config]] of configs.entries()) {
    await peft.addAdapter(name, config);
    await randomise(peft, name, i + 5);
  }
  return peft;
}

beforeEach(async () => {
  base = await values(model.forward(ids));
});

const METHODS: readonly (readonly [string, ConfigInput])[] = [
  ["LoRA", lora(4)],
  ["rsLoRA with patterns", lora(4, 8, { useRslora: true, rankPattern: { "0.up": 2 }, alphaPattern: { "1.down": 3 } })],
  ["DoRA", lora(4, 8, { useDora: true })],
  ["LoRA with bias and a trained head", lora(2, 4, { bias: "lora_only", modulesToSave: ["head"] })],
  ["LoRA with trained tokens", lora(2, 4, { trainableTokenIndices: [3, 7] })],
  ["LoRA of an embedding", new LoraConfig({ r: 2, targetModules: ["embed", "0.up"] })],
  ["PiSSA", lora(3, 3, { initLoraWeights: "pissa" })],
  ["AdaLoRA", new AdaLoraConfig({ initR: 3, targetR: 2, totalStep: 10, targetModules: ["up"] })],
  ["(IA)³", new IA3Config({ targetModules: ["up", "down"], feedforwardModules: ["down"] })],
  ["VeRA", new VeraConfig({ r: 4, targetModules: "all-linear" })],
  ["VeRA, projections not saved", new VeraConfig({ r: 4, targetModules: ["up", "down"], save_projection: false })],
  ["FourierFT", new FourierFTConfig({ nFrequency: 12, targetModules: ["up"] })],
  ["OFT", new OFTConfig({ targetModules: ["embed", "up"], oftBlockSize: 4, useCayleyNeumann: false })],
  ["BOFT", new BOFTConfig({ targetModules: ["up"], boftNButterflyFactor: 2 })],
  ["HRA", new HRAConfig({ targetModules: ["up", "down"], r: 4 })],
  ["HiRA of an embedding", new HiraConfig({ targetModules: ["embed", "up"], r: 3 })],
  ["DEFT", new DeftConfig({ targetModules: ["up", "down"], r: 3, decompositionMethod: "qr" })],
  ["DeLoRA", new DeloraConfig({ targetModules: ["up", "down"], r: 3, rank_pattern: { "0.up": 2 } })],
  ["GLoRA", new GloraConfig({ targetModules: ["up", "down"], r: 2 })],
  ["C³A by pattern", new C3AConfig({ targetModules: ["up", "down"], blockSize: 4, block_size_pattern: { "0.up": 2 } })],
  ["MiSS bat", new MissConfig({ targetModules: ["up"], r: 4, initWeights: "bat" })],
  ["RandLoRA, bases not saved", new RandLoraConfig({ targetModules: ["up", "down"], r: 3, randloraAlpha: 3, save_projection: false })],
  ["RoAd", new RoadConfig({ targetModules: ["up", "down"], groupSize: 4 })],
  ["SHiRA", new ShiraConfig({ targetModules: ["up"], r: 1, randomSeed: 3 })],
  ["VB-LoRA", new VBLoRAConfig({ targetModules: ["up", "down"], r: 2, numVectors: 9, vectorLength: 4 })],
  ["WaveFT", new WaveFTConfig({ targetModules: ["up"], nFrequency: 15, scaling: 2 })],
  ["trained tokens", new TrainableTokensConfig({ targetModules: ["embed"], tokenIndices: [3, 7] })],
];

describe.each(METHODS)("%s", (label, config) => {
  it("merges into what it does unmerged, unmerges exactly, and is off when disabled", async () => {
    const peft = await withAdapters(["a", config]);
    const y = await values(peft.forward(ids));
    expect(gap(y, base)).toBeGreaterThan(1e-3);
    expect(gap(await values(await peft.withAdapterDisabled(() => peft.forward(ids))), base)).toBe(0);
    peft.mergeAdapter();
    expect(peft.mergedAdapters).toEqual(["a"]);
    expect(gap(await values(peft.forward(ids)), y)).toBeLessThan(2e-5);
    expect(() => peft.mergeAdapter()).toThrow(/merged already/);
    peft.unmergeAdapter();
    expect(await values(peft.forward(ids))).toEqual(y);
    expect(gap(await values(peft.mergeAndUnload().forward(ids)), y)).toBeLessThan(2e-5);
    expect(gap(await values(peft.unload().forward(ids)), base)).toBe(0);
  });

  it("is the same when it was saved and loaded", async () => {
    const peft = await withAdapters(["default", config]);
    const home = join(folder, label.replaceAll(/\W/g, "_"));
    await savePretrained(peft, home);
    expect(readdirSync(home).sort()).toEqual(["README.md", "adapter_config.json", "adapter_model.safetensors"]);
    const again = await loadPeftModel(model, home, { methods: ADAPTER_METHODS });
    expect(await values(again.forward(ids))).toEqual(await values(peft.forward(ids)));
    expect([...stateDict(again.state("default")).keys()].sort()).toEqual([...stateDict(peft.state("default")).keys()].sort());
    expect(again.trainableParameters()).toEqual(peft.trainableParameters());
  });
});

it("a new LoRA changes nothing, and has the numbers that PEFT gives for the seed", async () => {
  const peft = await getPeftModel(model, lora(4), { methods: ADAPTER_METHODS, seed: 3 });
  expect(await values(peft.forward(ids))).toEqual(base);
  const other = await getPeftModel(model, lora(4), { methods: ADAPTER_METHODS, seed: 3 });
  expect(await values(other.parameters().layers["blocks.0.up"]!.A!)).toEqual(await values(peft.parameters().layers["blocks.0.up"]!.A!));
  expect(peft.describeTrainableParameters()).toBe("trainable params: 320 || all params: 1,048 || trainable%: 30.5344");
});

describe("several adapters", () => {
  const three = () =>
    withAdapters(
      ["a", lora(4)],
      ["b", lora(2, 6, { targetModules: ["up"] })],
      ["c", new IA3Config({ targetModules: ["up", "down"], feedforwardModules: ["down"] })],
    );

  it("of different methods act together in order, and one after the other", async () => {
    const peft = await three();
    expect(peft.activeAdapters).toEqual(["a"]);
    const alone: number[][] = [];
    for (const name of ["a", "b", "c"]) {
      peft.setAdapter(name);
      alone.push(await values(peft.forward(ids)));
    }
    expect(new Set(alone.map((y) => y.join())).size).toBe(3);
    peft.setAdapter(["a", "b"]);
    const both = await values(peft.forward(ids));
    expect(gap(both, alone[0]!)).toBeGreaterThan(1e-3);
    peft.mergeAdapter();
    expect(gap(await values(peft.forward(ids)), both)).toBeLessThan(2e-5);
  });

  it("a mixed batch gives every row what its own adapter gives, base rows included", async () => {
    const peft = await three();
    await peft.addAdapter("d", lora(3, 5, { useDora: true }));
    await randomise(peft, "d", 11);
    const row = async (name: string | undefined, i: number): Promise<number[]> => {
      if (name) peft.setAdapter(name);
      const y = await values(name ? peft.forward(ids) : model.forward(ids));
      return y.slice(i * 40, i * 40 + 40);
    };
    for (const names of [
      ["b", "__base__", "a"],
      ["c", "a", "c"],
      ["d", "b", "c"],
      ["__base__", "__base__", "__base__"],
    ]) {
      const got = await values(peft.forward(ids, { adapterNames: names }));
      for (const [i, name] of names.entries())
        expect(
          gap(got.slice(i * 40, i * 40 + 40), await row(name === "__base__" ? undefined : name, i)),
          `row ${i} of ${names}`,
        ).toBeLessThan(1e-5);
    }
    expect(() => peft.forward(ids, { adapterNames: ["a"] })).toThrow(/3 rows, but adapters of 1/);
    expect(() => peft.forward(ids, { adapterNames: ["a", "nobody", "a"] })).toThrow(/no adapter "nobody"/);
  });

  it("a prepared batch by number gives the same, and takes any mixture in one plan", async () => {
    const peft = await withAdapters(["a", lora(4)], ["b", lora(2, 6, { targetModules: ["up"] })]);
    expect(() => peft.forward(ids, { adapterIndex: tensor(Int32Array.from([0, 1, -1])) })).toThrow(/prepared/);
    await peft.prepareBatch(["b", "a"]);
    let traces = 0;
    const forward = compile((x: Tensor, adapterIndex: Tensor) => {
      traces++;
      return peft.forward(x, { adapterIndex });
    });
    for (const numbers of [
      [0, 1, -1],
      [1, 1, 0],
      [-1, -1, -1],
    ]) {
      const names = numbers.map((n) => ["__base__", "b", "a"][n + 1]!);
      const want = await values(peft.forward(ids, { adapterNames: names }));
      expect(gap(await values((await forward(ids, tensor(Int32Array.from(numbers)))) as Tensor), want)).toBeLessThan(1e-6);
    }
    expect(traces).toBe(1);
    await randomise(peft, "a", 21);
    expect(() => peft.forward(ids, { adapterIndex: tensor(Int32Array.from([0, 1, -1])) })).toThrow(/prepared/);
    forward.dispose();
  });

  it("a deleted active adapter makes room for the next; unknown and taken names are refused", async () => {
    const peft = await three();
    peft.deleteAdapter("a");
    expect([peft.adapterNames, peft.activeAdapters]).toEqual([["b", "c"], ["b"]]);
    expect(() => peft.setAdapter("a")).toThrow(expect.objectContaining({ hint: "there are b, c" }));
    await expect(peft.addAdapter("b", lora(2))).rejects.toThrow(/already/);
    await expect(peft.addAdapter("../x", lora(2))).rejects.toThrow(/cannot be an adapter's name/);
    peft.setAdapter(["b", "c"]);
    peft.mergeAdapter();
    expect(() => peft.deleteAdapter("b")).toThrow(/is merged/);
  });

  it("are saved side by side and found again", async () => {
    const peft = await three();
    const home = join(folder, "three");
    await savePretrained(peft, home);
    expect(readdirSync(home).sort()).toEqual(["a", "b", "c"]);
    const again = new PeftModel(model, ADAPTER_METHODS);
    for (const name of ["a", "b", "c"]) await loadAdapter(again, join(home, name), name);
    again.setAdapter("c");
    peft.setAdapter("c");
    expect(await values(again.forward(ids))).toEqual(await values(peft.forward(ids)));
  });

  it("exact combination is the weighted sum of the changes, also with rsLoRA, whose ranks differ", async () => {
    const peft = await withAdapters(["a", lora(4, 8, { useRslora: true })], ["b", lora(2, 3, { useRslora: true })]);
    await peft.addWeightedAdapter(["a", "b"], [0.7, -0.4], "mix");
    await peft.addWeightedAdapter(["a", "b"], [0.7, -0.4], "small", { rank: 6 });
    const weight = async (names: string[]): Promise<number[]> => {
      peft.setAdapter(names);
      return values(peft.mergeAndUnload().weights.get("blocks.0.up.weight")!);
    };
    const [none, a, b] = [await values(model.weights.get("blocks.0.up.weight")!), await weight(["a"]), await weight(["b"])];
    const want = none.map((w, i) => w + 0.7 * (a[i]! - w) - 0.4 * (b[i]! - w));
    expect(gap(await weight(["mix"]), want)).toBeLessThan(1e-5);
    expect(gap(await weight(["small"]), want)).toBeLessThan(1e-5);
    await expect(peft.addWeightedAdapter(["a", "b"], [1, 1], "x", { combinationType: "linear" })).rejects.toThrow(/equal ranks/);
    await expect(peft.addWeightedAdapter(["a"], [1, 1], "x")).rejects.toThrow(/1 adapters and 2 weights/);
    await expect(peft.addWeightedAdapter(["a", "b"], [1, 1], "x", { combinationType: "ties" })).rejects.toThrow(/density/);
  });

  it("compression to a lower rank is the best there is", async () => {
    const peft = await withAdapters(["a", lora(4)], ["b", lora(4)]);
    await peft.addWeightedAdapter(["a", "b"], [1, 1], "small", { rank: 3 });
    await peft.addWeightedAdapter(["a", "b"], [1, 1], "svd", { combinationType: "svd", rank: 3 });
    const y = async (name: string): Promise<number[]> => {
      peft.setAdapter(name);
      return values(peft.mergeAndUnload().weights.get("blocks.1.down.weight")!);
    };
    expect(gap(await y("small"), await y("svd"))).toBeLessThan(1e-5);
  });
});

it("adapters are swapped in a compiled forward without a new plan", async () => {
  const peft = await withAdapters(["a", lora(4)], ["b", lora(4)]);
  let traces = 0;
  const forward = compile((parameters: ReturnType<typeof peft.parameters>, x: Tensor) => {
    traces++;
    return peft.withParameters(parameters, "a").forward(x);
  });
  const results: number[][] = [];
  for (const name of ["a", "b", "a"]) results.push(await values((await forward(peft.parameters(name), ids)) as Tensor));
  expect(traces).toBe(1);
  peft.setAdapter("b");
  expect(gap(results[1]!, await values(peft.forward(ids)))).toBeLessThan(1e-6);
  expect(results[2]).toEqual(results[0]);
  forward.dispose();
});

it("an injected adapter looks like the model, also to hooks and with other weights", async () => {
  const { model: injected, peft } = await injectAdapter(model, lora(4), { methods: ADAPTER_METHODS });
  await randomise(peft, "default");
  const y = await values(peft.forward(ids));
  expect(await values(injected.forward(ids))).toEqual(y);
  const seen: string[] = [];
  const doubled = injected.forward(ids, (path, layer, below, x) => {
    seen.push(path);
    return path === "head" ? add(forwardBase(layer, below, x), forwardBase(layer, below, x)) : undefined;
  });
  expect(
    gap(
      await values(doubled),
      y.map((v) => 2 * v),
    ),
  ).toBeLessThan(1e-5);
  expect(seen).toHaveLength(6);
  const heads = new Map([["head.weight", mul(model.weights.get("head.weight")!, 3)]]);
  expect(
    gap(
      await values(injected.withWeights(heads).forward(ids)),
      y.map((v) => 3 * v),
    ),
  ).toBeLessThan(1e-5);
});

it("a field that is not known is an error that names it, unless it is off", async () => {
  expect(() => new LoraConfig({ loraAlhpa: 3 })).toThrow(/LORA has no field "loraAlhpa"/);
  expect(new LoraConfig({ use_future: null, other: false, list: [], task_type: "CAUSAL_LM" }).r).toBe(8);
  await expect(
    getPeftModel(model, { peft_type: "LORA", target_modules: ["up"], use_future: 1 } as ConfigInput, { methods: ADAPTER_METHODS }),
  ).rejects.toThrow(/"use_future"/);
  const peft = await withAdapters(["default", lora(4)]);
  const home = join(folder, "unknown");
  await savePretrained(peft, home);
  const file = join(home, "adapter_config.json");
  const config = JSON.parse(readFileSync(file, "utf8")) as object;
  writeFileSync(file, JSON.stringify({ ...config, use_future: { mode: 1 }, off: null }));
  await expect(loadPeftModel(model, home, { methods: ADAPTER_METHODS })).rejects.toMatchObject({
    kind: "unknown-field",
    message: expect.stringContaining("use_future"),
  });
  const again = new PeftModel(model, ADAPTER_METHODS);
  await loadAdapter(again, home, "default", { allowUnknownFields: true });
  expect(await values(again.forward(ids))).toEqual(await values(peft.forward(ids)));
});

describe("targets", () => {
  test.each([
    ["*.up", ["blocks.0.up", "blocks.1.up"]],
    ["blocks.[!0].*", ["blocks.1.up", "blocks.1.down"]],
    ["blocks.?.d[a-o]wn", ["blocks.0.down", "blocks.1.down"]],
    ["blocks.[0].u+p*", []],
  ])("glob %s", async (pattern, paths) => {
    const made = getPeftModel(model, new LoraConfig({ r: 2, targetModules: glob(pattern) }), { methods: ADAPTER_METHODS });
    if (paths.length === 0) await expect(made).rejects.toThrow(/no module/);
    else expect([...(await made).state("default").layers.keys()]).toEqual(paths);
  });
  test.each([
    [{ targetModules: "all-linear" }, ["blocks.0.up", "blocks.0.down", "blocks.1.up", "blocks.1.down"]],
    [{ targetModules: ["up"], excludeModules: ["0.up"] }, ["blocks.1.up"]],
    [{ targetModules: ".*1\\.(up|down)" }, ["blocks.1.up", "blocks.1.down"]],
  ])("%o", async (fields, paths) => {
    const peft = await getPeftModel(model, new LoraConfig({ r: 2, ...fields }), { methods: ADAPTER_METHODS });
    expect([...peft.state("default").layers.keys()]).toEqual(paths);
  });
  test.each([
    [{ targetModules: ["nothing"] }, /no module/],
    [{ targetModules: ["blocks"] }, /not a layer/],
    [{ targetModules: null }, /target_modules is null/],
  ])("%o is refused", async (fields, message) => {
    await expect(getPeftModel(model, new LoraConfig({ r: 2, ...fields }), { methods: ADAPTER_METHODS })).rejects.toThrow(message);
  });
});

it("a saved config says what PEFT's does", async () => {
  const peft = await withAdapters(["default", lora(4)]);
  const home = join(folder, "config");
  await savePretrained(peft, home);
  const json = JSON.parse(readFileSync(join(home, "adapter_config.json"), "utf8")) as { [field: string]: unknown };
  expect(json).toMatchObject({
    peft_type: "LORA",
    r: 4,
    lora_alpha: 8,
    target_modules: ["up", "down"],
    inference_mode: true,
    use_dora: false,
  });
  expect(existsSync(join(home, "adapter_model.safetensors"))).toBe(true);
  await evaluate(peft.forward(ids));
});

test("an adapter on a module that the model does not list is refused, not ignored", async () => {
  const complete = await getPeftModel(model, new LoraConfig({ r: 2, targetModules: ["up", "head"] }), { methods: ADAPTER_METHODS });
  await savePretrained(complete, join(folder, "listed"));
  class Partial extends Toy {
    override layers(): HookedLayer[] {
      return super.layers().filter(({ path }) => path !== "head");
    }
  }
  await expect(loadPeftModel(new Partial(model.weights), join(folder, "listed"), { methods: ADAPTER_METHODS })).rejects.toMatchObject({ kind: "unsupported-target", tensor: "head" }); // prettier-ignore
});

test("a module inside an adapted one has its name inside the other's base layer, as PEFT's out_proj of an attention", async () => {
  const nested = new Toy(new Map([...model.weights].map(([name, w]) => [name.replace("blocks.0.down", "blocks.0.up.out_proj"), w])));
  nested.layers = () => ["blocks.0.up", "blocks.0.up.out_proj"].map((path) => { const weight = nested.weights.get(`${path}.weight`)!; return { path, layer: { kind: "linear", shape: weight.shape, dtype: "f32", bias: false }, base: { weight } }; }); // prettier-ignore
  const peft = await getPeftModel(nested, new LoraConfig({ r: 2, targetModules: ["up", "out_proj"] }), { methods: ADAPTER_METHODS });
  expect([...stateDict(peft.state("default")).keys()]).toEqual([
    "base_model.model.blocks.0.up.lora_A.weight",
    "base_model.model.blocks.0.up.lora_B.weight",
    "base_model.model.blocks.0.up.base_layer.out_proj.lora_A.weight",
    "base_model.model.blocks.0.up.base_layer.out_proj.lora_B.weight",
  ]);
});
