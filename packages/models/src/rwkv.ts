import { add, cast, exp, full, mul, neg, relu, ShapeError, sigmoid, square, sub, type Tensor, where, wkv, zeros } from "@weft/tensor-core";
import { type Architecture, architecture } from "./architecture.js";
import type { CacheOptions } from "./causal/cache.js";
import type { CausalConfig, CausalOutput } from "./causal/causal-lm.js";
import { type CausalInputs, keptStates, withVirtualTokens } from "./causal/inputs.js";
import { type ConfigJson, fieldsOf } from "./config-fields.js";
import type { LayerHook } from "./hooks.js";
import { Model, type ModelOptions, type RunLayer, type Tied } from "./model.js";
import { blockOf, embedding, layerNormOf, linear, type ModuleDescription, other, parametersOf } from "./modules.js";
import { lastStep, recurrentMask, runBlocks, shifted, statesOf } from "./recurrent.js";
import { segmentedWkv } from "./segmented-wkv.js";
import { type Segments, segmentsOf } from "./segments.js";
import type { Weights } from "./weights.js";

/** What the forward pass needs of an RWKV-4's `config.json`. */
export interface RwkvConfig extends CausalConfig {
  readonly modelType: "rwkv";
  readonly attentionSize: number;
  readonly intermediateSize: number;
  readonly normEps: number;
  readonly tieWordEmbeddings: boolean;
}

/** Which steps of the rows count, and where documents begin in them. */
interface Rows {
  readonly mask: Tensor | undefined;
  readonly segments: Segments | undefined;
}

/** Reads a `config.json`; `rescale_every`, a guard of f16, is left alone (see the compatibility table). @throws ConfigError naming the field */
export function readRwkvConfig(json: ConfigJson): RwkvConfig {
  const { integer, positive, flag } = fieldsOf(json, "config.json");
  const hiddenSize = integer("hidden_size", 4096);
  return {
    modelType: "rwkv",
    vocabSize: integer("vocab_size", 50277),
    hiddenSize,
    layers: integer("num_hidden_layers", 32),
    attentionSize: integer("attention_hidden_size", hiddenSize),
    intermediateSize: integer("intermediate_size", 4 * hiddenSize),
    normEps: positive("layer_norm_epsilon", 1e-5),
    tieWordEmbeddings: flag("tie_word_embeddings"),
  };
}

/** Every module below the model with its path, in the order of `named_modules()` of RwkvForCausalLM. */
function* rwkvModules(c: RwkvConfig): Generator<[path: string, module: ModuleDescription]> {
  const norm = layerNormOf(c.hiddenSize, c.normEps);
  yield ["rwkv", other];
  yield ["rwkv.embeddings", embedding(c.vocabSize, c.hiddenSize)];
  yield ["rwkv.blocks", other];
  for (let i = 0; i < c.layers; i++) {
    const block = `rwkv.blocks.${i}`;
    yield [block, blockOf(c.hiddenSize)];
    if (i === 0) yield [`${block}.pre_ln`, norm];
    yield [`${block}.ln1`, norm];
    yield [`${block}.ln2`, norm];
    yield [`${block}.attention`, other];
    yield [`${block}.attention.time_shift`, other];
    for (const name of ["key", "value", "receptance"]) yield [`${block}.attention.${name}`, linear(c.hiddenSize, c.attentionSize)];
    yield [`${block}.attention.output`, linear(c.attentionSize, c.hiddenSize)];
    yield [`${block}.feed_forward`, other];
    yield [`${block}.feed_forward.time_shift`, other];
    yield [`${block}.feed_forward.key`, linear(c.hiddenSize, c.intermediateSize)];
    yield [`${block}.feed_forward.receptance`, linear(c.hiddenSize, c.hiddenSize)];
    yield [`${block}.feed_forward.value`, linear(c.intermediateSize, c.hiddenSize)];
  }
  yield ["rwkv.ln_out", norm];
  yield ["head", { ...linear(c.hiddenSize, c.vocabSize), outputEmbedding: true }];
}

function rwkvParameters(c: RwkvConfig): Map<string, readonly number[]> {
  const shapes = parametersOf(rwkvModules(c));
  for (let i = 0; i < c.layers; i++) {
    const block = `rwkv.blocks.${i}`;
    for (const name of ["time_decay", "time_first"]) shapes.set(`${block}.attention.${name}`, [c.attentionSize]);
    for (const name of ["key", "value", "receptance"]) shapes.set(`${block}.attention.time_mix_${name}`, [1, 1, c.hiddenSize]);
    for (const name of ["key", "receptance"]) shapes.set(`${block}.feed_forward.time_mix_${name}`, [1, 1, c.hiddenSize]);
  }
  return shapes;
}

/** What a block keeps between passes: the last normalised input of both parts [B, hidden], and the state of `wkv` [B, attention size] in f32. */
export type RwkvState = {
  readonly attentionShift: Tensor;
  readonly feedForwardShift: Tensor;
  readonly numerator: Tensor;
  readonly denominator: Tensor;
  readonly exponent: Tensor;
};

/** The exponent of a sum of nothing. */
const NOTHING = -1e38;
/** The exponent of what is padding: far below all others, yet e^(difference) is 0 and not NaN. */
const PADDING = -1e4;

const tied = ({ tieWordEmbeddings }: RwkvConfig): Tied | undefined =>
  tieWordEmbeddings ? ["head.weight", "rwkv.embeddings.weight"] : undefined;

/**
 * RWKV-4: attention as a recurrence per channel ({@link wkv}) and mixing with the step before.
 * Differs from transformers where that is wrong: weights are not rescaled in place, one-token passes of several rows are right, and padding on the left
 * leaves no trace in the state.
 * @see Peng et al. 2023; transformers `models/rwkv/modeling_rwkv.py`
 */
export class RwkvForCausalLM extends Model<RwkvConfig> {
  constructor(config: RwkvConfig, weights: Weights, options: ModelOptions = {}) {
    super(config, weights, options, rwkvModules(config), tied(config));
  }

  withWeights(changes: ReadonlyMap<string, Tensor>): RwkvForCausalLM {
    return new RwkvForCausalLM(this.config, new Map([...this.weights, ...changes]), this.options);
  }

  /** Logits and hidden states (the result of each block, then after the last norm, as transformers), lazily. */
  forward(inputs: CausalInputs, hook?: LayerHook): CausalOutput<RwkvState> {
    const run = this.runner(hook);
    const batch = inputs.inputIds.shape[0]!;
    const states = statesOf(inputs, this.emptyCache({ batch }));
    const embedded = withVirtualTokens(run("rwkv.embeddings", inputs.inputIds), inputs.virtualTokens);
    if (embedded.shape[1] === 0) throw new ShapeError("forward: inputIds is empty, expected a token at least");
    const mask = recurrentMask(inputs, batch, embedded.shape[1]!);
    const segments = segmentsOf(inputs, batch, embedded.shape[1]!);
    const pathOf = (i: number): string => `rwkv.blocks.${i}`;
    const { results, after } = runBlocks(embedded, states, run, pathOf, (i, x) => this.block(i, x, run, states[i]!, { mask, segments }));
    const last = run("rwkv.ln_out", results.at(-1)!);
    return { logits: run("head", keptStates(last, inputs)), hiddenStates: [...results, last], ...(inputs.cache && { cache: after }) };
  }

  /** The states before the first token; they do not grow. */
  emptyCache({ batch = 1 }: Partial<CacheOptions> = {}): RwkvState[] {
    const { hiddenSize, attentionSize, layers } = this.config;
    const { dtype } = this.layer("rwkv.ln_out").layer;
    return Array.from({ length: layers }, () => ({
      attentionShift: zeros([batch, hiddenSize], dtype),
      feedForwardShift: zeros([batch, hiddenSize], dtype),
      numerator: zeros([batch, attentionSize]),
      denominator: zeros([batch, attentionSize]),
      exponent: full([batch, attentionSize], NOTHING),
    }));
  }

  private block(i: number, h: Tensor, run: RunLayer, state: RwkvState, rows: Rows): { y: Tensor; state: RwkvState } {
    const path = `rwkv.blocks.${i}`;
    const { mask, segments } = rows;
    /** Padding is as if nothing had been before. */
    const seen = (x: Tensor): Tensor => (mask ? where(cast(mask, "bool"), x, 0) : x);
    const start = i === 0 ? run(`${path}.pre_ln`, h) : h;
    const x = seen(run(`${path}.ln1`, start));
    const attended = this.timeMix(`${path}.attention`, x, run, state, rows);
    const mixed = add(start, attended.y);
    const z = seen(run(`${path}.ln2`, mixed));
    const y = add(mixed, this.channelMix(`${path}.feed_forward`, z, run, state, segments));
    return { y, state: { ...attended.state, attentionShift: lastStep(x), feedForwardShift: lastStep(z) } };
  }

  /** μ·x + (1 − μ)·(the step before) for each name. */
  private mixer(path: string, x: Tensor, previous: Tensor, segments: Segments | undefined): (name: string) => Tensor {
    const before = shifted(x, previous, segments);
    return (name) => {
      const mix = this.parameter(`${path}.time_mix_${name}`);
      return add(mul(x, mix), mul(before, sub(1, mix)));
    };
  }

  private timeMix(
    path: string,
    x: Tensor,
    run: RunLayer,
    state: RwkvState,
    { mask, segments }: Rows,
  ): { y: Tensor; state: Pick<RwkvState, "numerator" | "denominator" | "exponent"> } {
    const mixed = this.mixer(path, x, state.attentionShift, segments);
    const f32 = (t: Tensor): Tensor => cast(t, "f32");
    let [k, v] = [f32(run(`${path}.key`, mixed("key"))), f32(run(`${path}.value`, mixed("value")))];
    if (mask) {
      const counts = cast(mask, "bool");
      [k, v] = [where(counts, k, PADDING), where(counts, v, 0)];
    }
    const receptance = sigmoid(run(`${path}.receptance`, mixed("receptance")));
    const decay = neg(exp(f32(this.parameter(`${path}.time_decay`))));
    const { numerator, denominator, exponent } = state;
    const start = { numerator, denominator, exponent };
    const bonus = f32(this.parameter(`${path}.time_first`));
    // Of packed rows nothing is kept.
    const { y, state: after } = segments
      ? { y: segmentedWkv(decay, bonus, k, v, segments.starts), state: start }
      : wkv(decay, bonus, k, v, start);
    return { y: run(`${path}.output`, mul(receptance, cast(y, x.dtype))), state: after };
  }

  private channelMix(path: string, x: Tensor, run: RunLayer, state: RwkvState, segments: Segments | undefined): Tensor {
    const mixed = this.mixer(path, x, state.feedForwardShift, segments);
    const key = square(relu(run(`${path}.key`, mixed("key"))));
    return mul(sigmoid(run(`${path}.receptance`, mixed("receptance"))), run(`${path}.value`, key));
  }
}

/** The name in files of RWKV's author. */
function original(name: string): string {
  return name
    .replace(/^rwkv\.embeddings\./, "emb.")
    .replace(/^rwkv\./, "")
    .replace(".pre_ln.", ".ln0.")
    .replace(".attention.", ".att.")
    .replace(".feed_forward.", ".ffn.")
    .replace(/time_mix_([kvr]).*$/, "time_mix_$1");
}

/** RWKV-4, in files of transformers and under the names of its author. */
export const RWKV: Architecture<RwkvForCausalLM> = architecture({
  modelTypes: ["rwkv"],
  readConfig: readRwkvConfig,
  parameters: rwkvParameters,
  tied,
  aliases: (name) => [original(name)],
  create: (config, weights, options) => new RwkvForCausalLM(config, weights, options),
});
