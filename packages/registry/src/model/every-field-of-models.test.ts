import { fileURLToPath } from "node:url";
import type { OpenedAdapter } from "@weft/adapter-files";
import { openAdapterFolder } from "@weft/adapter-files/node";
import { ADAPTER_METHODS } from "@weft/methods";
import { loadPretrained } from "@weft/models/node";
import { randomKey, tensor } from "@weft/tensor-core";
import { afterAll, describe, expect, it } from "vitest";
import { digits, drawn, type FieldValues, filled, outcome, silentFields } from "../testing/every-field.js";
import { getPeftModel } from "./get-peft-model.js";

const fixtures = fileURLToPath(new URL("../../../../fixtures/modelwide/", import.meta.url));
/** Three blocks of width 32 with four heads, two for keys and values. */
const model = await loadPretrained(`${fixtures}llama_base`);
const ids = tensor(Int32Array.of(3, 14, 15, 9, 26, 5, 35, 8), { shape: [2, 4] });
const taskIds = tensor(Int32Array.of(0, 1), { shape: [2] });

const opened: (readonly [string, OpenedAdapter])[] = [];
for (const i of [0, 1]) opened.push([`${i}`, await openAdapterFolder(`${fixtures}xlora_llama/expert_${i}`, { methods: ADAPTER_METHODS })]);
const experts = new Map(opened);
afterAll(() => Promise.all(opened.map(([, { weights }]) => weights.close())));

/** A prompt of two tasks, trained before. */
const saved = {
  prompt_embeddings: drawn([3, 32], 1),
  prefix_task_cols: drawn([2, 3, 1], 2),
  prefix_task_rows: drawn([2, 1, 32], 3),
};

/** What a config makes of the model: parameters as they begin, and how many train; with other ones, what it computes in evaluation and in training. */
async function effectOf(name: string, values: FieldValues): Promise<string> {
  const effect = await outcome(async () => {
    const { method, prompt } = ADAPTER_METHODS.get(name)!;
    const tasks = (prompt ?? method)?.takesTasks ? { taskIds } : {};
    const config = { peft_type: name, task_type: "CAUSAL_LM", ...values };
    const peft = await getPeftModel(model, config, {
      methods: ADAPTER_METHODS,
      seed: 1,
      experts,
      saved,
      textIds: [7, 8],
      onWarning: () => {},
    });
    const { layers, ...rest } = peft.parameters();
    const begin = Object.entries({ ...layers, ...rest }).map(async ([path, params]) => [
      path,
      await Promise.all(Object.entries(params ?? {}).map(async ([at, t]) => [at, t.shape, await digits(t)])),
    ]);
    const moved = Object.entries(rest).map(([kind, params], i) => [kind, params && filled(params, 60 + 20 * i)]);
    peft.setParameters({
      ...Object.fromEntries(moved),
      layers: Object.fromEntries(Object.entries(layers).map(([path, params], i) => [path, filled(params, 10 + i)])),
    } as ReturnType<typeof peft.parameters>);
    const passes = [null, 1, 2].map((key) =>
      outcome(async () => {
        const dropoutKey = key === null ? key : randomKey(key);
        return digits(peft.forward({ inputIds: ids }, { ...tasks, dropoutKey }).logits);
      }),
    );
    return [await Promise.all(begin), peft.trainableParameters(), await Promise.all(passes)];
  });
  return JSON.stringify(effect);
}

const PROMPT: FieldValues = { num_virtual_tokens: 3 };
const TEXT: FieldValues = { prompt_tuning_init: "TEXT", tokenizer_name_or_path: "given", prompt_tuning_init_text: "given" };
const SOURCE: FieldValues = { prompt_tuning_init: "EXACT_SOURCE_TASK", prompt_tuning_init_state_dict_path: "given", num_tasks: 2 };
/** A small config of each method that needs a model. */
const SMALL: { readonly [method: string]: FieldValues } = {
  ADAPTION_PROMPT: { adapter_len: 2, adapter_layers: 2, target_modules: "self_attn" },
  CARTRIDGE: PROMPT,
  CPT: { cpt_token_ids: [3, 4, 5], cpt_mask: [1, 1, 1], cpt_tokens_type_mask: [1, 2, 3] },
  MULTITASK_PROMPT_TUNING: { ...PROMPT, num_tasks: 2 },
  P_TUNING: { ...PROMPT, encoder_hidden_size: 8 },
  POLY: { r: 2, n_tasks: 2, n_skills: 2, target_modules: ["q_proj"] },
  PREFIX_TUNING: PROMPT,
  PROMPT_TUNING: PROMPT,
  SHADOW: {
    r: 2,
    target_modules: ["layers.1", "layers.2"],
    shadow_hidden_size: 16,
    shadow_num_attention_heads: 2,
    shadow_intermediate_size: 20,
  },
  XLORA: { hidden_size: 32, adapters: { 0: "expert_0", 1: "expert_1" }, layerwise_scalings: true, xlora_size: 4 },
};
/** What has to be on for a field to matter. */
const NEEDS: { readonly [method: string]: { readonly [field: string]: FieldValues } } = {
  MULTITASK_PROMPT_TUNING: {
    prompt_tuning_init_text: { ...TEXT, prompt_tuning_init_text: null },
    tokenizer_name_or_path: { ...TEXT, tokenizer_name_or_path: null },
    prompt_tuning_init_task: SOURCE,
  },
  P_TUNING: {
    encoder_num_layers: { encoder_reparameterization_type: "LSTM" },
    encoder_dropout: { encoder_reparameterization_type: "LSTM" },
  },
  PREFIX_TUNING: { encoder_hidden_size: { prefix_projection: true } },
  PROMPT_TUNING: {
    prompt_tuning_init_text: { ...TEXT, prompt_tuning_init_text: null },
    tokenizer_name_or_path: { ...TEXT, tokenizer_name_or_path: null },
  },
  SHADOW: { share_embeddings: { shadow_hidden_size: null, shadow_num_attention_heads: null } },
  XLORA: {
    layerwise_scalings: { layerwise_scalings: false },
    enable_softmax_topk: { top_k_lora: 1 },
    xlora_size: { xlora_depth: 2 },
    xlora_dropout_p: { xlora_depth: 2 },
  },
};
/** Fields that change nothing of a model by itself: what else they are about; under the name of the method, or the kind of prompt. */
const ABOUT: { readonly [kind: string]: readonly string[] } = {
  "a choice of one": ["POLY.poly_type", "SHADOW.shadow_model"],
  "a loss, which is a function of its own or the caller's": [
    "CPT.opt_weighted_loss_type",
    "CPT.opt_loss_decay_factor",
    "SHADOW.auxiliary_loss_weight",
  ],
  "what the caller reads and gives: saved, and ids of tokens": [
    "MULTITASK_PROMPT_TUNING.prompt_tuning_init_state_dict_path",
    "CPT.tokenizer_name_or_path",
  ],
  "sizes of keys and values, of which virtual tokens have none": ["embeddings.num_attention_heads", "embeddings.num_layers"],
  "sizes that follow from a model with grouped queries, as in PEFT": ["keyValues.token_dim", "keyValues.num_attention_heads"],
  "encoder-decoders, of which keys and values are those of one half": ["keyValues.num_transformer_submodules"],
  "the index inside a path, which the path of a block ends with: layers_to_transform, which it belongs to, is refused": [
    "SHADOW.layers_pattern",
  ],
  "what follows from the context's tokens, as in PEFT": ["CPT.num_virtual_tokens", "CPT.num_transformer_submodules"],
};
const about = new Set(Object.values(ABOUT).flat());

const METHODS = [...ADAPTER_METHODS].flatMap(([name, { method, prompt }]) => {
  const needsModel = method && (method.wholes || method.mix || method.takesTasks);
  const fields = prompt?.fields ?? (needsModel ? method.fields : undefined);
  return fields ? [[name, fields, prompt?.kind] as const] : [];
});

describe.each(METHODS)("%s", (name, fields, kind) => {
  it("acts on every field of its config, refuses it, or says what it is about", async () => {
    const values = SMALL[name]!;
    expect(await effectOf(name, values)).toMatch(/^\[.*\},\[\["-?\d/);
    const silent = await silentFields({
      fields,
      values,
      needs: NEEDS[name] ?? {},
      isElsewhere: (field) => about.has(`${name}.${field}`) || about.has(`${kind}.${field}`),
      candidates: [["lm_head"], ["q_proj"], ["layers.1"], { 0: "expert_0" }, 16],
      effectOf: (more) => effectOf(name, more),
    });
    expect(silent).toEqual([]);
  });
});
