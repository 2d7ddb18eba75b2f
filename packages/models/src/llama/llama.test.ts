import { openSafetensors } from "@weft/io-safetensors";
import { add, cast, FormatError, forwardBase, full, mul, referenceDevice, ShapeError, tensor, type Tensor } from "@weft/tensor-core";
import { beforeAll, describe, expect, test } from "vitest";
import type { LayerHook } from "../hooks.js";
import { loadPretrained } from "../node/load-pretrained.js";
import { DEVICES, fixture, fixtureJson, fixtureTensors, worstError } from "../testing.js";
import { LLAMA, LlamaForCausalLM } from "./llama.js";

const ids = tensor(Int32Array.of(3, 14, 15, 92, 65, 35), { shape: [1, 6] });
let model: LlamaForCausalLM;
beforeAll(async () => {
  model = await loadPretrained(fixture("models/llama"), { architecture: LLAMA });
});

describe("hooks", () => {
  test("every adaptable layer is offered once, in order of use, with its weight", () => {
    const seen: string[] = [];
    model.forward({ inputIds: ids }, (path, layer, base) => {
      const whole = layer.kind === "attention" || layer.kind === "block";
      expect(base.weight.shape).toEqual(whole ? [0] : layer.shape);
      expect(layer.kind === "attention").toBe(base.attention !== undefined);
      seen.push(path);
      return undefined;
    });
    expect(seen.toSorted()).toEqual(
      model
        .layers()
        .map(({ path }) => path)
        .toSorted(),
    );
    expect(seen.at(-1)).toBe("lm_head");
  });

  test("a hook that leaves everything to the base changes nothing; one that answers takes the layer's place", async () => {
    const plain = model.forward({ inputIds: ids }).logits;
    const same = model.forward({ inputIds: ids }, (_, layer, base, x) => forwardBase(layer, base, x)).logits;
    expect(await worstError(same, plain)).toBe(0);
    const doubled: LayerHook = (path, layer, base, x) => (path === "lm_head" ? mul(forwardBase(layer, base, x), 2) : undefined);
    expect(await worstError(model.forward({ inputIds: ids }, doubled).logits, mul(plain, 2))).toBe(0);
  });

  test("norms are layers of their own kind, with their eps", async () => {
    const norms = model.layers().filter(({ layer }) => layer.kind === "norm");
    expect(norms.map(({ path }) => path)).toEqual(
      [0, 1].flatMap((i) => [`model.layers.${i}.input_layernorm`, `model.layers.${i}.post_attention_layernorm`]).concat("model.norm"),
    );
    for (const { layer } of norms) expect(layer.norm).toEqual({ kind: "rms", eps: model.config.normEps });
    const doubled: LayerHook = (path, layer, base, x) => (path === "model.norm" ? mul(forwardBase(layer, base, x), 2) : undefined);
    const plain = model.forward({ inputIds: ids }).logits;
    expect(await worstError(model.forward({ inputIds: ids }, doubled).logits, mul(plain, 2))).toBe(0);
  });
});

test("replaced weights make another model; the first one keeps its own", async () => {
  const before = await model.forward({ inputIds: ids }).logits.data();
  const head = model.weights.get("lm_head.weight")!;
  const other = model.withWeights(new Map([["lm_head.weight", add(head, full(head.shape, 1))]]));
  expect(await worstError(other.forward({ inputIds: ids }).logits, model.forward({ inputIds: ids }).logits)).toBeGreaterThan(0.01);
  expect(await model.forward({ inputIds: ids }).logits.data()).toEqual(before);
});

describe("padding", () => {
  const padded = {
    inputIds: tensor(Int32Array.of(0, 0, 3, 14, 15, 92), { shape: [1, 6] }),
    attentionMask: tensor(Int32Array.of(0, 0, 1, 1, 1, 1), { shape: [1, 6] }),
    positionIds: tensor(Int32Array.of(0, 0, 0, 1, 2, 3), { shape: [1, 6] }),
  };
  const last = async (t: Tensor): Promise<Float32Array> => (await t.data()).slice(-96) as Float32Array;

  test.each(["sdpa", "eager"] as const)("tokens after padding on the left see what they see without it (%s)", async (attention) => {
    const m = await loadPretrained(fixture("models/llama"), { architecture: LLAMA, attention });
    const alone = await last(m.forward({ inputIds: tensor(Int32Array.of(3, 14, 15, 92), { shape: [1, 4] }) }).logits);
    const got = await last(m.forward(padded).logits);
    for (const [i, v] of alone.entries()) expect(got[i]).toBeCloseTo(v, 5);
  });

  test("a mask of ones is no mask", async () => {
    const ones = full([1, 6], 1, "i32");
    expect(
      await worstError(model.forward({ inputIds: ids, attentionMask: ones }).logits, model.forward({ inputIds: ids }).logits),
    ).toBeLessThan(1e-6);
  });

  test("left padding as in PEFT's cases, which were made with sdpa", async () => {
    const tensors = await fixtureTensors("peft/llama_lora/case.safetensors", referenceDevice());
    const base = await loadPretrained(fixture("peft/llama_base"), { architecture: LLAMA });
    const { logits } = base.forward({ inputIds: tensors.get("ids")!, attentionMask: tensors.get("mask")! });
    expect(await worstError(logits, tensors.get("y_base")!)).toBeLessThan(1e-5);
  });
});

test.each(Object.keys(DEVICES))("weights stay as they are stored, and a bf16 model computes in bf16 (%s)", async (name) => {
  const device = await DEVICES[name]!();
  const wide = await loadPretrained(fixture("models/llama"), { architecture: LLAMA, device });
  const small = wide.withWeights(new Map([...wide.weights].map(([path, w]) => [path, cast(w, "bf16")])));
  const { logits, hiddenStates } = small.forward({ inputIds: ids });
  expect([logits.dtype, ...hiddenStates.map((h) => h.dtype)]).toEqual(["bf16", "bf16", "bf16", "bf16"]);
  const error = await worstError(cast(logits, "f32"), wide.forward({ inputIds: ids }).logits);
  expect(error).toBeLessThan(0.05);
  expect(error).toBeGreaterThan(1e-5);
});

describe("loading", () => {
  const config = fixtureJson("models/llama_tied_llama3/config.json");
  /** A safetensors file in memory. */
  const file = (tensors: Record<string, number[]>): Uint8Array => {
    let at = 0;
    const header = Object.fromEntries(
      Object.entries(tensors).map(([name, shape]) => [
        name,
        { dtype: "F32", shape, data_offsets: [at, (at += 4 * shape.reduce((a, b) => a * b, 1))] },
      ]),
    );
    const text = new TextEncoder().encode(JSON.stringify(header));
    const bytes = new Uint8Array(8 + text.length + at);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
    bytes.set(text, 8);
    return bytes;
  };

  test("a tied head needs no tensor; with one of its own it is used", async () => {
    const tied = await loadPretrained(fixture("models/llama_tied_llama3"), { architecture: LLAMA });
    expect(tied.weights.has("lm_head.weight")).toBe(false);
    const head = tied.layers().find(({ path }) => path === "lm_head")!;
    expect(head.base.weight).toBe(tied.weights.get("model.embed_tokens.weight"));
    const own = full([96, 32], 0);
    const untied = tied.withWeights(new Map([["lm_head.weight", own]]));
    expect(Math.max(...(await untied.forward({ inputIds: ids }).logits.data()))).toBe(0);
  });

  test("a checkpoint that lacks tensors is refused with their names", async () => {
    const source = await openSafetensors(file({ "model.embed_tokens.weight": [96, 32] }));
    const load = LlamaForCausalLM.load(config, source);
    await expect(load).rejects.toThrow(FormatError);
    await expect(LlamaForCausalLM.load(config, source)).rejects.toThrow(/lacks model\.layers\.0\.self_attn\.q_proj\.weight.* and \d+ more/);
  });

  test("a tensor of another shape than the config says is refused", async () => {
    const folder = fixture("models/llama_tied_llama3");
    const { openWeights } = await import("@weft/io-safetensors/node");
    const source = await openWeights(folder);
    await expect(LlamaForCausalLM.load({ ...config, intermediate_size: 60 }, source)).rejects.toThrow(ShapeError);
    await expect(LlamaForCausalLM.load({ ...config, intermediate_size: 60 }, source)).rejects.toThrow(
      "mlp.gate_proj.weight is [56,32], but config.json asks for [60,32]",
    );
    await source.close();
  });

  test("a folder without config.json", async () => {
    await expect(loadPretrained(fixture("models"), { architecture: LLAMA })).rejects.toThrow("config.json");
  });
});
