import { readFileSync } from "node:fs";
import { openWeights } from "@weft/io-safetensors/node";
import { tensor, type Tensor } from "@weft/tensor-core";
import { describe, expect, test } from "vitest";
import { BertModel, readBertConfig } from "./bert.js";
import type { ConfigJson } from "./config-fields.js";
import { Gpt2LMHeadModel, readGpt2Config } from "./gpt2.js";
import { readLlamaConfig } from "./llama/config.js";
import { LlamaForCausalLM } from "./llama/llama.js";
import { MAMBA, MambaForCausalLM, readMambaConfig } from "./mamba/mamba.js";
import { Mamba2ForCausalLM, readMamba2Config } from "./mamba/mamba2.js";
import { loadCausalLM } from "./load.js";
import type { Model } from "./model.js";
import { readRwkvConfig, RwkvForCausalLM } from "./rwkv.js";
import { fixture, fixtureJson, renamed, worstError } from "./testing.js";

const models = JSON.parse(readFileSync(new URL("fixtures/modules.json", import.meta.url), "utf8")) as {
  config: ConfigJson;
  names: string[];
  linear: string[];
  parameters: Record<string, number[]>;
}[];
type Weights = ReadonlyMap<string, Tensor>;
const CREATE: Readonly<Record<string, (config: ConfigJson, weights: Weights) => Model<{ modelType: string }>>> = {
  gpt2: (config, weights) => new Gpt2LMHeadModel(readGpt2Config(config), weights),
  bert: (config, weights) => new BertModel(readBertConfig(config), weights),
  rwkv: (config, weights) => new RwkvForCausalLM(readRwkvConfig(config), weights),
  mamba: (config, weights) => new MambaForCausalLM(readMambaConfig(config), weights),
  ...Object.fromEntries(
    ["smollm3", "phi3", "gemma2", "gemma3_text"].map((type) => [
      type,
      (config: ConfigJson, weights: Weights) => new LlamaForCausalLM(readLlamaConfig(config), weights),
    ]),
  ),
  mamba2: (config, weights) => new Mamba2ForCausalLM(readMamba2Config(config), weights),
};

describe.each(models.map((m) => ({ type: m.config["model_type"] as string, ...m })))(
  "$type",
  ({ type, config, names, linear, parameters }) => {
    const weights = new Map(
      Object.entries(parameters).map(([name, shape]) => [name, tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), { shape })]),
    );
    const model = CREATE[type]!(config, weights);

    test("modules come in the order and under the names of named_modules()", () => {
      expect([...model.namedModules()].map(([path]) => path)).toEqual(names);
    });

    test("linear layers are those of torch, and every layer has the shape that its description says", () => {
      const modules = new Map(model.namedModules());
      expect([...modules].filter(([, m]) => m.kind === "linear").map(([path]) => path)).toEqual(linear);
      for (const { path, layer } of model.layers()) {
        const { kind, in: from, out, transposed, bias, kernel } = modules.get(path)!;
        if (kind === "linear") expect(layer.shape, path).toEqual(transposed ? [from, out] : [out, from]);
        if (kind === "conv1d") expect(layer.shape, path).toEqual([out, 1, kernel]);
        expect(layer.bias, path).toBe(bias);
      }
    });

    test("parameters have the names and shapes of torch", async () => {
      const source = {
        location: "all",
        names: () => weights.keys(),
        has: (name: string) => weights.has(name),
        info: (name: string) => ({ dtype: "F32", shape: parameters[name] }),
        read: (name: string) => Promise.resolve({ data: new Uint8Array(4 * parameters[name]!.reduce((a, b) => a * b, 1)) }),
      };
      const loaded = type === "bert" ? model : await loadCausalLM(config, source as never);
      expect(Object.fromEntries([...loaded.weights].map(([name, { shape }]) => [name, shape]))).toEqual(parameters);
    });
  },
);

describe("names of the original programs", () => {
  const ids = tensor(Int32Array.of(3, 14, 15, 92), { shape: [1, 4] });

  test("RWKV's author's", async () => {
    const source = await openWeights(fixture("models/rwkv"));
    const config = fixtureJson("models/rwkv/config.json");
    const original = (name: string): string =>
      name
        .replace("rwkv.embeddings", "emb")
        .replace("rwkv.", "")
        .replace("pre_ln", "ln0")
        .replace("attention", "att")
        .replace("feed_forward", "ffn")
        .replace(/time_mix_(.).*/, "time_mix_$1");
    const other = renamed(source, original);
    expect([...other.names()]).toEqual(
      expect.arrayContaining(["emb.weight", "blocks.0.ln0.bias", "blocks.1.att.time_mix_r", "head.weight"]),
    );
    const [want, got] = [await loadCausalLM(config, source), await loadCausalLM(config, other)];
    expect(await worstError(got.forward({ inputIds: ids }).logits, want.forward({ inputIds: ids }).logits)).toBe(0);
    await source.close();
  });

  test("state-spaces' config and embedding", async () => {
    const source = await openWeights(fixture("models/mamba"));
    const config = { d_model: 32, n_layer: 2, vocab_size: 93, ssm_cfg: { d_state: 4 }, rms_norm: true, pad_vocab_size_multiple: 8 };
    const other = renamed(source, (name) => name.replace("embeddings", "embedding"));
    const want = await MAMBA.load(fixtureJson("models/mamba/config.json"), source);
    const got = await loadCausalLM(config, other);
    expect(got.config).toEqual(want.config);
    expect(await worstError(got.forward({ inputIds: ids }).logits, want.forward({ inputIds: ids }).logits)).toBe(0);
    await source.close();
  });

  test("a state-spaces config of Mamba-2, and one with attention layers", () => {
    const config = {
      d_model: 768,
      n_layer: 24,
      vocab_size: 50277,
      ssm_cfg: { layer: "Mamba2" },
      attn_layer_idx: [],
      pad_vocab_size_multiple: 16,
    };
    expect(readMamba2Config(config)).toMatchObject({
      innerSize: 1536,
      heads: 24,
      groups: 1,
      stateSize: 128,
      vocabSize: 50288,
      tieWordEmbeddings: true,
    });
    expect(() => readMamba2Config({ ...config, attn_layer_idx: [9] })).toThrow("attention layers is not supported");
  });

  test("GPT-2 without its prefix", async () => {
    const source = await openWeights(fixture("models/gpt2"));
    const config = fixtureJson("models/gpt2/config.json");
    const other = renamed(source, (name) => name.replace("transformer.", ""));
    const [want, got] = [await loadCausalLM(config, source), await loadCausalLM(config, other)];
    expect(await worstError(got.forward({ inputIds: ids }).logits, want.forward({ inputIds: ids }).logits)).toBe(0);
    await source.close();
  });
});
