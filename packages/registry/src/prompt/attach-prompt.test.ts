import { fileURLToPath } from "node:url";
import { readFileSync } from "node:fs";
import { ADAPTER_METHODS } from "@weft/methods";
import { ones, type Tensor, WeftError, zeros } from "@weft/tensor-core";
import { withPrompt } from "@weft/tensor-core/prompt";
import { type WeightSource } from "@weft/io-safetensors";
import { describe, expect, it, test } from "vitest";
import { attachAdapter } from "../attach.js";
import { openAdapter, readAdapterConfig, writeAdapterConfig } from "@weft/adapter-files";
import { openAdapterFolder } from "@weft/adapter-files/node";
import { attachPrompt, type PromptHost } from "./attach-prompt.js";

const fixture = (name: string): string => fileURLToPath(new URL(`../../../../fixtures/peft/${name}`, import.meta.url));
/** The tiny Llama of the fixtures, as far as prompts look at it. */
const sizes = { hiddenSize: 32, layers: 2, heads: 4, keyValueHeads: 2, headDim: 8 };
const weights: ReadonlyMap<string, Tensor> = new Map([["lm_head.weight", zeros([64, 32])]]);
const host = (changes: Partial<PromptHost["sizes"]> = {}): PromptHost => ({
  sizes: { ...sizes, ...changes },
  tensor: (name) => weights.get(name),
  names: () => weights.keys(),
});
const kindOf = async (run: Promise<unknown>): Promise<string | undefined> =>
  run.then(
    () => undefined,
    (error: unknown) => (error instanceof WeftError ? `${error.code} ${error.message}` : String(error)),
  );

const bytes = (shape: readonly number[]): Uint8Array => new Uint8Array(new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1).buffer);

/** A file of tensors full of ones. */
function source(shapes: { readonly [name: string]: readonly number[] }): WeightSource {
  return {
    location: "prompt.safetensors",
    warnings: [],
    names: () => Object.keys(shapes),
    has: (name: string) => Object.hasOwn(shapes, name),
    info: (name: string) => ({ dtype: "F32", shape: shapes[name]! }),
    read: async (name: string) => ({ dtype: "F32", shape: shapes[name]!, data: bytes(shapes[name]!) }),
    close: async () => undefined,
  } as unknown as WeightSource;
}

describe("a prompt that PEFT wrote", () => {
  test.each([
    ["llama_prompt_tuning", 4],
    ["llama_p_tuning_lstm", 3],
  ] as const)("%s is virtual tokens in front", async (name, count) => {
    const adapter = await openAdapterFolder(fixture(name), { methods: ADAPTER_METHODS });
    expect(adapter.warnings).toEqual([]);
    const attached = await attachPrompt(adapter, host());
    const { virtualTokens, attentionMask } = withPrompt(attached.prompt(), {
      inputIds: ones([2, 5], "i32"),
      attentionMask: ones([2, 5], "i32"),
    });
    expect(virtualTokens!.shape).toEqual([1, count, 32]);
    expect(attentionMask!.shape).toEqual([2, count + 5]);
    await adapter.weights.close();
  });

  it("of keys and values is one pair per layer, by the model's key-value heads", async () => {
    const adapter = await openAdapterFolder(fixture("llama_prefix_projection"), { methods: ADAPTER_METHODS });
    const { pastKeyValues } = (await attachPrompt(adapter, host())).prompt();
    expect(pastKeyValues!.map(({ key, value }) => `${key.shape} ${value.shape}`)).toEqual(["1,2,3,8 1,2,3,8", "1,2,3,8 1,2,3,8"]);
    await adapter.weights.close();
  });

  it("is refused on a model of other sizes, and by what attaches to layers", async () => {
    const tokens = await openAdapterFolder(fixture("llama_prompt_tuning"), { methods: ADAPTER_METHODS });
    expect(await kindOf(attachPrompt(tokens, host({ hiddenSize: 64 })))).toContain("token_dim is 32, the model's is 64");
    expect(await kindOf(attachAdapter(tokens, host()))).toContain("PROMPT_TUNING adapters change no layer");
    const prefix = await openAdapterFolder(fixture("llama_prefix_tuning"), { methods: ADAPTER_METHODS });
    expect(await kindOf(attachPrompt(prefix, host({ layers: 3 })))).toContain("num_layers is 2, the model's is 3");
    expect(await kindOf(attachPrompt(prefix, host({ headDim: 16 })))).toContain("prompt_embeddings is [3,64], expected [3,128]");
    const lora = await openAdapterFolder(fixture("llama_lora"), { methods: ADAPTER_METHODS });
    expect(await kindOf(attachPrompt(lora, host()))).toContain("LORA is not a prompt method");
    for (const { weights: file } of [tokens, prefix, lora]) await file.close();
  });
});

it("modules saved along replace the model's", async () => {
  const config = { peft_type: "PROMPT_TUNING", task_type: "CAUSAL_LM", num_virtual_tokens: 2, token_dim: 32, modules_to_save: ["lm_head"] };
  const adapter = await openAdapter(
    { config, weights: source({ prompt_embeddings: [2, 32], "base_model.lm_head.weight": [64, 32] }) },
    { methods: ADAPTER_METHODS },
  );
  const attached = await attachPrompt(adapter, host());
  expect([...attached.replaced.keys()]).toEqual(["lm_head.weight"]);
  expect((await attached.replaced.get("lm_head.weight")!.data())[0]).toBe(1);
});

it("a tensor that is missing is named", async () => {
  const config = { peft_type: "MULTITASK_PROMPT_TUNING", num_virtual_tokens: 2, num_tasks: 3 };
  const adapter = await openAdapter({ config, weights: source({ prompt_embeddings: [2, 32] }) }, { methods: ADAPTER_METHODS });
  expect(await kindOf(attachPrompt(adapter, host()))).toContain("prefix_task_cols is missing, expected [3,2,1]");
});

it("floats of CPT's config are written as Python writes them, and every prompt config comes back", () => {
  const { cases } = JSON.parse(readFileSync(new URL("../../../adapters-prompt/src/fixtures/prompt.json", import.meta.url), "utf8")) as {
    cases: { config: { [field: string]: unknown } }[];
  };
  for (const { config } of cases)
    expect(JSON.parse(writeAdapterConfig(readAdapterConfig(config, { methods: ADAPTER_METHODS })))).toEqual(config);
  const cpt = cases.find(({ config }) => config["peft_type"] === "CPT")!;
  expect(writeAdapterConfig(readAdapterConfig(cpt.config, { methods: ADAPTER_METHODS }))).toContain('"opt_loss_decay_factor": 1.0,');
});
