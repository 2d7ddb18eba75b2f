import { add, reshape, ShapeError, split, type Tensor, transpose } from "@weft/tensor-core";
import { activationOf } from "./activations.js";
import { type Architecture, architecture } from "./architecture.js";
import { type AttentionPass, beginAttention, cacheAfter } from "./causal/attend.js";
import { type CacheOptions, emptyCache } from "./causal/cache.js";
import type { CausalConfig, CausalOutput } from "./causal/causal-lm.js";
import { type CausalInputs, keptStates, type KeyValues, withVirtualTokens } from "./causal/inputs.js";
import { assertMultiple, type ConfigJson, fieldsOf } from "./config-fields.js";
import type { LayerHook } from "./hooks.js";
import { Model, type ModelOptions, type RunLayer, type Tied } from "./model.js";
import { conv1D, embedding, layerNormOf, linear, type ModuleDescription, blockOf, other, parametersOf } from "./modules.js";
import type { Weights } from "./weights.js";

/** What the forward pass needs of a GPT-2's `config.json`. */
export interface Gpt2Config extends CausalConfig {
  readonly modelType: "gpt2";
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  readonly maxPositions: number;
  readonly intermediateSize: number;
  readonly normEps: number;
  readonly activation: string;
  readonly tieWordEmbeddings: boolean;
}

/** Reads a `config.json`. @throws ConfigError naming the field */
export function readGpt2Config(json: ConfigJson): Gpt2Config {
  const { integer, positive, flag, same, text } = fieldsOf(json, "config.json");
  same("scale_attn_weights", true);
  same("scale_attn_by_inverse_layer_idx", false);
  same("add_cross_attention", false);
  const [hiddenSize, heads] = [integer("n_embd", 768), integer("n_head", 12)];
  assertMultiple(json, ["n_embd", hiddenSize], ["n_head", heads]);
  const activation = text("activation_function", "gelu_new");
  activationOf(activation, "activation_function");
  return {
    modelType: "gpt2",
    vocabSize: integer("vocab_size", 50257),
    hiddenSize,
    layers: integer("n_layer", 12),
    heads,
    keyValueHeads: heads,
    headDim: hiddenSize / heads,
    maxPositions: integer("n_positions", 1024),
    intermediateSize: integer("n_inner", 4 * hiddenSize),
    normEps: positive("layer_norm_epsilon", 1e-5),
    activation,
    tieWordEmbeddings: flag("tie_word_embeddings", true),
  };
}

/** Every module below the model with its path, in the order of `named_modules()` of GPT2LMHeadModel. */
function* gpt2Modules(c: Gpt2Config): Generator<[path: string, module: ModuleDescription]> {
  const norm = layerNormOf(c.hiddenSize, c.normEps);
  yield ["transformer", other];
  yield ["transformer.wte", embedding(c.vocabSize, c.hiddenSize)];
  yield ["transformer.wpe", embedding(c.maxPositions, c.hiddenSize)];
  yield ["transformer.drop", other];
  yield ["transformer.h", other];
  for (let i = 0; i < c.layers; i++) {
    const block = `transformer.h.${i}`;
    yield [block, blockOf(c.hiddenSize)];
    yield [`${block}.ln_1`, norm];
    yield [`${block}.attn`, other];
    yield [`${block}.attn.c_attn`, conv1D(c.hiddenSize, 3 * c.hiddenSize)];
    yield [`${block}.attn.c_proj`, conv1D(c.hiddenSize, c.hiddenSize)];
    yield [`${block}.attn.attn_dropout`, other];
    yield [`${block}.attn.resid_dropout`, other];
    yield [`${block}.ln_2`, norm];
    yield [`${block}.mlp`, other];
    yield [`${block}.mlp.c_fc`, conv1D(c.hiddenSize, c.intermediateSize)];
    yield [`${block}.mlp.c_proj`, conv1D(c.intermediateSize, c.hiddenSize)];
    yield [`${block}.mlp.act`, other];
    yield [`${block}.mlp.dropout`, other];
  }
  yield ["transformer.ln_f", norm];
  yield ["lm_head", { ...linear(c.hiddenSize, c.vocabSize), outputEmbedding: true }];
}

const tied = ({ tieWordEmbeddings }: Gpt2Config): Tied | undefined =>
  tieWordEmbeddings ? ["lm_head.weight", "transformer.wte.weight"] : undefined;

/**
 * GPT-2: learned positions, norms in front, biases, weights of the blocks stored [in, out] (transformers' Conv1D).
 * @see Radford et al. 2019; transformers `models/gpt2/modeling_gpt2.py`
 */
export class Gpt2LMHeadModel extends Model<Gpt2Config> {
  constructor(config: Gpt2Config, weights: Weights, options: ModelOptions = {}) {
    super(config, weights, options, gpt2Modules(config), tied(config));
  }

  withWeights(changes: ReadonlyMap<string, Tensor>): Gpt2LMHeadModel {
    return new Gpt2LMHeadModel(this.config, new Map([...this.weights, ...changes]), this.options);
  }

  /** Logits and hidden states, lazily. */
  forward(inputs: CausalInputs, hook?: LayerHook): CausalOutput<KeyValues> {
    const { inputIds, virtualTokens } = inputs;
    if (inputIds.shape.length !== 2) throw new ShapeError(`forward: inputIds is [${inputIds.shape}], expected [batch, length]`);
    const run = this.runner(hook);
    const tokens = withVirtualTokens(run("transformer.wte", inputIds), virtualTokens);
    const pass = beginAttention(inputs, tokens, this.config, this.options);
    let h = add(tokens, run("transformer.wpe", pass.positions));
    const states = [h];
    for (let i = 0; i < this.config.layers; i++)
      states.push((h = run(`transformer.h.${i}`, h, { forward: (x) => this.block(i, x, run, pass) })));
    const hiddenStates = [...states.slice(0, -1), run("transformer.ln_f", h)];
    return { logits: run("lm_head", keptStates(hiddenStates.at(-1)!, inputs)), hiddenStates, ...cacheAfter(inputs, pass) };
  }

  /** A cache for `forward` with room for so many positions, in the dtype of the embeddings. */
  emptyCache(options: CacheOptions): KeyValues[] {
    return emptyCache(this.config, this.layer("transformer.wte").layer.dtype, options);
  }

  private block(i: number, h: Tensor, run: RunLayer, pass: AttentionPass): Tensor {
    const path = `transformer.h.${i}`;
    const [batch, length, width] = h.shape as [number, number, number];
    const heads = (t: Tensor): Tensor => transpose(reshape(t, [batch, length, this.config.heads, -1]), [0, 2, 1, 3]);
    const [q, k, v] = split(run(`${path}.attn.c_attn`, run(`${path}.ln_1`, h)), [width, width, width], 2) as [Tensor, Tensor, Tensor];
    const seen = transpose(pass.attend(i, heads(q), heads(k), heads(v)), [0, 2, 1, 3]);
    const mixed = add(h, run(`${path}.attn.c_proj`, reshape(seen, [batch, length, width])));
    const activation = activationOf(this.config.activation, "activation_function");
    return add(mixed, run(`${path}.mlp.c_proj`, activation(run(`${path}.mlp.c_fc`, run(`${path}.ln_2`, mixed)))));
  }
}

/** GPT-2, in files of transformers and of OpenAI. */
export const GPT2: Architecture<Gpt2LMHeadModel> = architecture({
  modelTypes: ["gpt2"],
  readConfig: readGpt2Config,
  parameters: (config) => parametersOf(gpt2Modules(config)),
  tied,
  // OpenAI's files have no prefix.
  aliases: (name) => (name.startsWith("transformer.") ? [name.slice("transformer.".length)] : []),
  create: (config, weights, options) => new Gpt2LMHeadModel(config, weights, options),
});
