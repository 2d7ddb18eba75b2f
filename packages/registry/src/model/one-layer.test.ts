import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { LORA, LoraConfig } from "@weft/adapters-lora";
import { openWeights } from "@weft/io-safetensors/node";
import { AdaptedLayer, cast, forwardBase, type LayerSpec, type Tensor, tensor } from "@weft/tensor-core";
import { afterAll, describe, expect, it } from "vitest";
import { loadAdapter } from "../node/load-peft-model.js";
import { openAdapterFolder } from "@weft/adapter-files/node";
import { savePretrained } from "../node/save-pretrained.js";
import { readTensor } from "@weft/adapter-files";
import type { HookedLayer, HookedModel, LayerHook } from "./hooked-model.js";
import { PeftModel } from "./peft-model.js";

/** Adapters on one linear layer, and what PEFT makes of them: see make_merges.py. */
const HOME = join(import.meta.dirname, "../../../../fixtures/merges");
const PAIR = "glora_pair";
const LINEAR = readdirSync(HOME).filter(
  (name) => name !== PAIR && (JSON.parse(readFileSync(join(HOME, name, "case.json"), "utf8")) as { base: string }).base === "linear",
);
const folder = mkdtempSync(join(tmpdir(), "weft-"));
afterAll(() => rmSync(folder, { recursive: true }));

class OneLayer implements HookedModel<Tensor, Tensor> {
  constructor(readonly weights: ReadonlyMap<string, Tensor>) {}
  layers(): HookedLayer[] {
    const [weight, bias] = [this.weights.get("lin.weight")!, this.weights.get("lin.bias")];
    const layer: LayerSpec = { kind: "linear", shape: weight.shape, dtype: weight.dtype, bias: bias !== undefined };
    return [{ path: "lin", layer, base: { weight, bias } }];
  }
  namedModules = () => [["lin", { kind: "linear" }]] as const;
  withWeights(changes: ReadonlyMap<string, Tensor>): OneLayer {
    return new OneLayer(new Map([...this.weights, ...changes]));
  }
  forward(x: Tensor, hook?: LayerHook): Tensor {
    const [{ path, layer, base }] = this.layers() as [HookedLayer];
    return hook?.(path, layer, base, x) ?? forwardBase(layer, base, x);
  }
}

interface Case {
  readonly model: OneLayer;
  /** A tensor of the case's file. */
  want(name: string): Promise<Tensor>;
  close(): Promise<void>;
}

async function caseOf(name: string, dtype: string): Promise<Case> {
  const source = await openWeights(join(HOME, name, "case.safetensors"));
  const prefix = `base.${dtype}.`;
  const names = [...source.names()].filter((key) => key.startsWith(prefix));
  const read = names.map(async (key) => [key.slice(prefix.length), await readTensor(source, key)] as const);
  return { model: new OneLayer(new Map(await Promise.all(read))), want: (key) => readTensor(source, key), close: () => source.close() };
}

/** The adapter of a case as its file in bf16 has it. */
async function loadNarrow(peft: PeftModel<never, unknown>, name: string, options = {}): Promise<void> {
  const adapter = await openAdapterFolder(join(HOME, name), { methods: ADAPTER_METHODS });
  await adapter.weights.close();
  const weights = await openWeights(join(HOME, name, "adapter_model.bf16.safetensors"));
  await peft.loadAdapter({ ...adapter, weights }, "default", options);
  await weights.close();
}

const gap = async (got: Tensor, want: Tensor): Promise<number> => {
  const [a, b] = [Float32Array.from(await got.data()), Float32Array.from(await want.data())];
  expect(a.length).toBe(b.length);
  const size = b.reduce((top, v) => Math.max(top, Math.abs(v)), 0);
  return b.reduce((top, v, i) => Math.max(top, Math.abs(a[i]! - v)), 0) / size;
};

describe("an adapter whose file is in bf16 computes in f32", () => {
  it.each(LINEAR)("%s", async (name) => {
    const { model, want, close } = await caseOf(name, "f32");
    const peft = new PeftModel<Tensor, Tensor>(model, ADAPTER_METHODS);
    await loadNarrow(peft, name);
    // PSOFT and OSF begin with the SVD of the weight, whose f32 vectors are another library's: the tolerance of their golden cases.
    const limit = name === "psoft" || name === "osf" ? 2e-5 : 2e-6;
    expect(await gap(peft.forward(await want("x")), await want("f32.bf16.y"))).toBeLessThan(limit);
    for (const [key, merged] of peft.mergeAndUnload().weights)
      expect(await gap(merged, await want(`f32.bf16.merge.${key}`).catch(() => model.weights.get(key)!))).toBeLessThan(limit);
    await close();
  });

  it("and is saved in f32, as PEFT saves it", async () => {
    const { model, close } = await caseOf("lora", "bf16");
    const peft = new PeftModel<Tensor, Tensor>(model, ADAPTER_METHODS);
    await loadNarrow(peft, "lora");
    await savePretrained(peft, join(folder, "saved"));
    const saved = await openWeights(join(folder, "saved/adapter_model.safetensors"));
    expect([...saved.names()].map((key) => saved.info(key).dtype)).toEqual(["F32", "F32"]);
    await saved.close();
    await close();
  });

  it("also on a single layer without a model", async () => {
    const source = await openWeights(join(HOME, "lora/adapter_model.bf16.safetensors"));
    const [A, B] = await Promise.all(["A", "B"].map((name) => readTensor(source, `base_model.model.lin.lora_${name}.weight`)));
    const config = new LoraConfig({ r: 4, loraAlpha: 6 });
    for (const [dtype, autocast, key] of [
      ["f32", true, "f32.bf16.merge"],
      ["bf16", true, "bf16.bf16.merge"],
      ["bf16", false, "bf16.bf16.off"],
    ] as const) {
      const { model, want, close } = await caseOf("lora", dtype);
      const [{ layer, base }] = model.layers() as [HookedLayer];
      const adapted = new AdaptedLayer(LORA, config, layer, base, { A: A!, B: B! }, { autocastAdapterDtype: autocast });
      adapted.merge();
      expect(await adapted.weight.data()).toEqual(await (await want(`${key}.lin.weight`)).data());
      await close();
    }
    await source.close();
  });

  it("unless it is asked to compute in the dtype of the weights", async () => {
    const { model, want, close } = await caseOf("lora", "bf16");
    const peft = new PeftModel<Tensor, Tensor>(model, ADAPTER_METHODS);
    await loadNarrow(peft, "lora", { autocastAdapterDtype: false });
    expect(peft.parameters().layers["lin"]!["A"]!.dtype).toBe("bf16");
    expect(await peft.mergeAndUnload().weights.get("lin.weight")!.data()).toEqual(await (await want("bf16.bf16.off.lin.weight")).data());
    await close();
  });
});

it("two GLoRAs on a layer run and merge as PEFT's: each sees the layer as it was before both", async () => {
  const { model, want, close } = await caseOf(PAIR, "f32");
  const peft = new PeftModel<Tensor, Tensor>(model, ADAPTER_METHODS);
  for (const name of ["first", "second"]) await loadAdapter(peft, join(HOME, PAIR, name), name);
  peft.setAdapter(["first", "second"]);
  expect(await gap(peft.forward(await want("x")), await want("y"))).toBeLessThan(2e-6);
  for (const [key, merged] of peft.mergeAndUnload().weights)
    expect(await gap(merged, await want(`f32.f32.merge.${key}`))).toBeLessThan(2e-6);
  await close();
});

describe("a merge", () => {
  it("does not go with other values of the adapter: they are refused", async () => {
    const { model, close } = await caseOf("lora", "f32");
    const peft = new PeftModel<Tensor, Tensor>(model, ADAPTER_METHODS);
    await loadAdapter(peft, join(HOME, "lora"), "default");
    const parameters = peft.parameters();
    peft.mergeAdapter();
    expect(() => peft.withParameters(parameters)).toThrow(/default is merged: the weights would not follow/);
    peft.unmergeAdapter();
    expect(peft.withParameters(parameters).mergedAdapters).toEqual([]);
    await close();
  });

  it("holds over another version of the model, in its weights", async () => {
    const { model, want, close } = await caseOf("lora", "bf16");
    const zeros = new OneLayer(
      new Map([...model.weights].map(([key, t]) => [key, cast(tensor(new Float32Array(t.size), { shape: t.shape }), t.dtype)])),
    );
    const peft = new PeftModel<Tensor, Tensor>(zeros, ADAPTER_METHODS);
    await loadAdapter(peft, join(HOME, "lora"), "default");
    peft.mergeAdapter({ safeMerge: true });
    const other = peft.over(model);
    expect(other.mergedAdapters).toEqual(["default"]);
    expect(await other.mergeAndUnload().weights.get("lin.weight")!.data()).toEqual(await (await want("bf16.f32.safe.lin.weight")).data());
    await close();
  });
});
