import { add, attention, cast, iota, reshape, ShapeError, slice, tanh, type Tensor, transpose, zeros } from "@weft/tensor-core";
import { activationOf } from "./activations.js";
import { type Architecture, architecture } from "./architecture.js";
import { assertMultiple, type ConfigJson, fieldsOf } from "./config-fields.js";
import type { LayerHook } from "./hooks.js";
import { Model, type ModelOptions, type RunLayer } from "./model.js";
import { blockOf, embedding, layerNormOf, linear, type ModuleDescription, other, parametersOf } from "./modules.js";
import type { Weights } from "./weights.js";

/** What the forward pass needs of a BERT's `config.json`. */
export interface BertConfig {
  readonly modelType: "bert";
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediateSize: number;
  readonly maxPositions: number;
  readonly tokenTypes: number;
  readonly normEps: number;
  readonly activation: string;
}

/** Reads a `config.json`. @throws ConfigError naming the field */
export function readBertConfig(json: ConfigJson): BertConfig {
  const { integer, positive, same, text } = fieldsOf(json, "config.json");
  same("is_decoder", false);
  same("add_cross_attention", false);
  same("position_embedding_type", "absolute");
  const [hiddenSize, heads] = [integer("hidden_size", 768), integer("num_attention_heads", 12)];
  assertMultiple(json, ["hidden_size", hiddenSize], ["num_attention_heads", heads]);
  const activation = text("hidden_act", "gelu");
  activationOf(activation, "hidden_act");
  return {
    modelType: "bert",
    vocabSize: integer("vocab_size", 30522),
    hiddenSize,
    layers: integer("num_hidden_layers", 12),
    heads,
    intermediateSize: integer("intermediate_size", 3072),
    maxPositions: integer("max_position_embeddings", 512),
    tokenTypes: integer("type_vocab_size", 2),
    normEps: positive("layer_norm_eps", 1e-12),
    activation,
  };
}

/** Every module below the model with its path, in the order of `named_modules()` of BertModel; many files have no pooler. */
export function* bertModules(c: BertConfig, pooler = true): Generator<[path: string, module: ModuleDescription]> {
  const norm = layerNormOf(c.hiddenSize, c.normEps);
  const square = linear(c.hiddenSize, c.hiddenSize, true);
  yield ["embeddings", other];
  yield ["embeddings.word_embeddings", embedding(c.vocabSize, c.hiddenSize)];
  yield ["embeddings.position_embeddings", embedding(c.maxPositions, c.hiddenSize)];
  yield ["embeddings.token_type_embeddings", embedding(c.tokenTypes, c.hiddenSize)];
  yield ["embeddings.LayerNorm", norm];
  yield ["embeddings.dropout", other];
  yield ["encoder", other];
  yield ["encoder.layer", other];
  for (let i = 0; i < c.layers; i++) {
    const block = `encoder.layer.${i}`;
    yield [block, blockOf(c.hiddenSize)];
    yield [`${block}.attention`, other];
    yield [`${block}.attention.self`, other];
    for (const name of ["query", "key", "value"]) yield [`${block}.attention.self.${name}`, square];
    yield [`${block}.attention.self.dropout`, other];
    yield [`${block}.attention.output`, other];
    yield [`${block}.attention.output.dense`, square];
    yield [`${block}.attention.output.LayerNorm`, norm];
    yield [`${block}.attention.output.dropout`, other];
    yield [`${block}.intermediate`, other];
    yield [`${block}.intermediate.dense`, linear(c.hiddenSize, c.intermediateSize, true)];
    yield [`${block}.intermediate.intermediate_act_fn`, other];
    yield [`${block}.output`, other];
    yield [`${block}.output.dense`, linear(c.intermediateSize, c.hiddenSize, true)];
    yield [`${block}.output.LayerNorm`, norm];
    yield [`${block}.output.dropout`, other];
  }
  if (!pooler) return;
  yield ["pooler", other];
  yield ["pooler.dense", square];
  yield ["pooler.activation", other];
}

const POOLER = "pooler.dense.weight";

/** Inputs of an encoder. */
export interface EncoderInputs {
  /** Token ids, i32 [batch, length]. */
  readonly inputIds: Tensor;
  /** 1 where a token counts, 0 where it is padding; i32 [batch, length]. */
  readonly attentionMask?: Tensor | undefined;
  /** Which segment a token belongs to, i32 [batch, length]; 0 if not given. */
  readonly tokenTypeIds?: Tensor | undefined;
  /** Positions, i32 [batch or 1, length]; 0, 1 … if not given. */
  readonly positionIds?: Tensor | undefined;
}

/** What an encoder computes. */
export interface EncoderOutput {
  /** [batch, length, hidden]. */
  readonly lastHiddenState: Tensor;
  /** tanh of a layer over the first token's state, [batch, hidden]; undefined for a checkpoint without that layer. */
  readonly poolerOutput: Tensor | undefined;
  /** The embeddings, then the result of each block. */
  readonly hiddenStates: readonly Tensor[];
}

/**
 * BERT: every token sees all, norms behind, exact GELU; MiniLM and other sentence encoders are of this form.
 * @see Devlin et al. 2018; transformers `models/bert/modeling_bert.py`
 */
export class BertModel extends Model<BertConfig> {
  constructor(config: BertConfig, weights: Weights, options: ModelOptions = {}) {
    super(config, weights, options, bertModules(config, weights.has(POOLER)));
  }

  withWeights(changes: ReadonlyMap<string, Tensor>): BertModel {
    return new BertModel(this.config, new Map([...this.weights, ...changes]), this.options);
  }

  /** Hidden states and the pooled first token, lazily. */
  forward({ inputIds, attentionMask, tokenTypeIds, positionIds }: EncoderInputs, hook?: LayerHook): EncoderOutput {
    if (inputIds.shape.length !== 2) throw new ShapeError(`forward: inputIds is [${inputIds.shape}], expected [batch, length]`);
    const [batch, length] = inputIds.shape as [number, number];
    if (length > this.config.maxPositions)
      throw new ShapeError(`forward: ${length} tokens, the model has ${this.config.maxPositions} positions`, {
        hint: "truncate the input",
      });
    for (const [name, t] of Object.entries({ attentionMask, tokenTypeIds }))
      if (t && t.shape.join() !== inputIds.shape.join())
        throw new ShapeError(`forward: ${name} is [${t.shape}], expected [${inputIds.shape}]`);
    const run = this.runner(hook);
    const mask = attentionMask && cast(reshape(attentionMask, [batch, 1, 1, length]), "bool");
    const words = run("embeddings.word_embeddings", inputIds);
    const types = run("embeddings.token_type_embeddings", tokenTypeIds ?? zeros([batch, length], "i32"));
    const positions = run("embeddings.position_embeddings", positionIds ?? iota([1, length], 1));
    let h = run("embeddings.LayerNorm", add(add(words, types), positions));
    const hiddenStates = [h];
    for (let i = 0; i < this.config.layers; i++)
      hiddenStates.push((h = run(`encoder.layer.${i}`, h, { forward: (x) => this.block(i, x, run, mask) })));
    const pooled = (): Tensor => tanh(run("pooler.dense", reshape(slice(h, [undefined, [0, 1]]), [batch, this.config.hiddenSize])));
    return { lastHiddenState: h, poolerOutput: this.weights.has(POOLER) ? pooled() : undefined, hiddenStates };
  }

  private block(i: number, h: Tensor, run: RunLayer, mask: Tensor | undefined): Tensor {
    const path = `encoder.layer.${i}`;
    const [batch, length, width] = h.shape as [number, number, number];
    const heads = (name: string): Tensor =>
      transpose(reshape(run(`${path}.attention.self.${name}`, h), [batch, length, this.config.heads, -1]), [0, 2, 1, 3]);
    const mixed = attention(heads("query"), heads("key"), heads("value"), mask ? { mask } : {});
    const seen = run(`${path}.attention.output.dense`, reshape(transpose(mixed, [0, 2, 1, 3]), [batch, length, width]));
    const x = run(`${path}.attention.output.LayerNorm`, add(seen, h));
    const activation = activationOf(this.config.activation, "hidden_act");
    const inner = run(`${path}.output.dense`, activation(run(`${path}.intermediate.dense`, x)));
    return run(`${path}.output.LayerNorm`, add(inner, x));
  }
}

/** Of older files: gamma and beta of norms, a prefix of models with a head. */
export function bertAliases(name: string): string[] {
  const old = name.replace(/LayerNorm\.weight$/, "LayerNorm.gamma").replace(/LayerNorm\.bias$/, "LayerNorm.beta");
  return [`bert.${name}`, old, `bert.${old}`];
}

/** BERT and the sentence encoders of its form. */
export const BERT: Architecture<BertModel> = architecture({
  modelTypes: ["bert"],
  readConfig: readBertConfig,
  parameters: (config) => parametersOf(bertModules(config)),
  aliases: bertAliases,
  optional: (name) => name.startsWith("pooler."),
  create: (config, weights, options) => new BertModel(config, weights, options),
});
