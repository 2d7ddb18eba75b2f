import type { WeightSource } from "@weft/io-safetensors";
import {
  add,
  type AttentionParts,
  CapabilityError,
  type LongCallOptions,
  type Mirror,
  type MirrorSizes,
  mul,
  reshape,
  rope,
  ShapeError,
  type SharedInput,
  split,
  swiglu,
  type Tensor,
  transpose,
} from "@weft/tensor-core";
import { activationOf } from "../activations.js";
import { type Architecture, architecture } from "../architecture.js";
import { type AttentionPass, beginAttention, cacheAfter } from "../causal/attend.js";
import { type CacheOptions, emptyCache } from "../causal/cache.js";
import { softCapped } from "../causal/capped-attention.js";
import type { CausalOutput } from "../causal/causal-lm.js";
import { type CausalInputs, keptStates, type KeyValues, withVirtualTokens } from "../causal/inputs.js";
import type { ConfigJson } from "../config-fields.js";
import type { LayerHook } from "../hooks.js";
import { Model, type ModelOptions, type RunLayer, type Tied } from "../model.js";
import type { Weights } from "../weights.js";
import { MODEL_TYPES, readLlamaConfig } from "./config.js";
import type { LlamaConfig } from "./llama-config.js";
import { mirrorConfig, mirrorParameters } from "./mirror.js";
import { llamaModules, llamaParameters, llamaSharedInputs } from "./modules.js";
import type { RopeConfig } from "./rope-config.js";
import { ropeFrequencies, ropeFrequenciesAt, ropeTables, type RopeTables } from "./rope.js";

/** What all blocks of one pass share. */
interface Pass extends AttentionPass {
  /** Queries or keys [B, H, T, d] of layer `i` at their positions. */
  rotate(i: number, x: Tensor): Tensor;
  readonly run: RunLayer;
}

/** [batch, length, heads, head dim] with the middle axes exchanged, and back. */
const turned = (t: Tensor): Tensor => transpose(t, [0, 2, 1, 3]);

const tied = ({ tieWordEmbeddings }: LlamaConfig): Tied | undefined =>
  tieWordEmbeddings ? ["lm_head.weight", "model.embed_tokens.weight"] : undefined;

/**
 * Llama, and the architectures that differ from it in little: Mistral (sliding window), Qwen2 (biases on q, k, v), Qwen3 (norms on q and k), SmolLM3 (layers without
 * rotary embedding), Phi-3 (fused projections), Gemma 2 and 3 (more norms, other activation, caps, windows and rotary embeddings by layer).
 * A pure function of weights, inputs and a hook; paths and parameter names are those of transformers.
 * @see transformers `models/llama/modeling_llama.py`
 */
export class LlamaForCausalLM extends Model<LlamaConfig> {
  constructor(config: LlamaConfig, weights: Weights, options: ModelOptions = {}) {
    super(config, weights, options, llamaModules(config), tied(config));
  }

  /** @see Architecture */
  static load(
    json: ConfigJson | string | Uint8Array,
    source: WeightSource,
    options: ModelOptions & LongCallOptions = {},
  ): Promise<LlamaForCausalLM> {
    return LLAMA.load(json, source, options);
  }

  withWeights(changes: ReadonlyMap<string, Tensor>): LlamaForCausalLM {
    return new LlamaForCausalLM(this.config, new Map([...this.weights, ...changes]), this.options);
  }

  /** Logits and hidden states, lazily. */
  forward(inputs: CausalInputs, hook?: LayerHook): CausalOutput<KeyValues> {
    const run = this.runner(hook);
    const { states, pass } = this.hidden(inputs, run);
    const logits = run("lm_head", keptStates(states.at(-1)!, inputs));
    const { logitCap } = this.config;
    return { logits: logitCap === undefined ? logits : softCapped(logits, logitCap), hiddenStates: states, ...cacheAfter(inputs, pass) };
  }

  /** A cache for `forward` with room for so many positions, in the dtype of the embeddings. */
  emptyCache(options: CacheOptions): KeyValues[] {
    return emptyCache(this.config, this.layer("model.embed_tokens").layer.dtype, options);
  }

  get blockCount(): number {
    return this.config.layers;
  }

  /** What the first block sees of token ids i32 [batch, length]: [batch, length, hidden]. */
  embed(inputIds: Tensor, hook?: LayerHook): Tensor {
    return this.embedded(inputIds, this.runner(hook));
  }

  /** Block `i` over hidden states [batch, length, hidden] of whole sequences. */
  runBlock(i: number, hidden: Tensor, hook?: LayerHook): Tensor {
    return this.block(i, hidden, this.begin({}, hidden, this.runner(hook)));
  }

  /** The linear layers of block `i` by their inputs, in the order in which they run. */
  sharedInputs(i: number): SharedInput[] {
    return llamaSharedInputs(this.config, i);
  }

  /** A smaller model of the same kind, which has this one's embeddings unless it is given its own. @throws ConfigError for sizes that do not go together */
  mirror(sizes: MirrorSizes): Mirror {
    const config = mirrorConfig(this.config, sizes);
    return {
      width: config.hiddenSize,
      parameters: mirrorParameters(config),
      hidden: (inputs, params) => {
        if ((inputs as CausalInputs).cache)
          throw new CapabilityError("forward: a mirror of the model keeps no keys and values between passes", {
            hint: "run it over whole sequences, without cache",
          });
        const own = Object.entries(params).map(([name, t]) => [`model.${name}`, t] as const);
        const embeddings = ["model.embed_tokens.weight", this.layer("model.embed_tokens").base.weight] as const;
        const mirror = new LlamaForCausalLM(config, new Map([embeddings, ...own]), this.options);
        return mirror.hidden(inputs as CausalInputs, mirror.runner()).states.at(-1)!;
      },
    };
  }

  private embedded(inputIds: Tensor, run: RunLayer): Tensor {
    const rows = run("model.embed_tokens", inputIds);
    return this.config.gemma ? mul(rows, Math.sqrt(this.config.hiddenSize)) : rows;
  }

  private hidden(inputs: CausalInputs, run: RunLayer): { states: Tensor[]; pass: Pass } {
    const { inputIds } = inputs;
    if (inputIds.shape.length !== 2) throw new ShapeError(`forward: inputIds is [${inputIds.shape}], expected [batch, length]`);
    let h = withVirtualTokens(this.embedded(inputIds, run), inputs.virtualTokens);
    const pass = this.begin(inputs, h, run);
    const states = [h];
    for (let i = 0; i < this.config.layers; i++) states.push((h = run(`model.layers.${i}`, h, { forward: (x) => this.block(i, x, pass) })));
    return { states: [...states.slice(0, -1), run("model.norm", h)], pass };
  }

  private begin(inputs: Omit<CausalInputs, "inputIds">, embedded: Tensor, run: RunLayer): Pass {
    const { positions } = inputs;
    const pass = beginAttention(inputs, embedded, this.config, this.options);
    const length = embedded.shape[1]!;
    const tables = new Map<RopeConfig, RopeTables>();
    const tablesOf = (kind: RopeConfig): RopeTables => {
      const config = { ...this.config, rope: kind };
      const frequencies =
        pass.after && positions === undefined
          ? ropeFrequenciesAt(config, pass.after)
          : ropeFrequencies(config, positions ?? (pass.before as number) + length);
      const made = tables.get(kind) ?? ropeTables(frequencies, pass.positions, embedded.dtype);
      tables.set(kind, made);
      return made;
    };
    const rotate = (i: number, x: Tensor): Tensor => {
      const kind = this.config.ropes ? this.config.ropes[i] : this.config.rope;
      if (!kind) return x;
      const { cosine, sine } = tablesOf(kind);
      return rope(x, cosine, sine);
    };
    return { ...pass, rotate, run };
  }

  private block(i: number, h: Tensor, pass: Pass): Tensor {
    const { run } = pass;
    const path = `model.layers.${i}`;
    const { gemma } = this.config;
    /** Of Gemma, what attention and feed-forward part give is normalised, too. */
    const behind = (norm: string, x: Tensor): Tensor => (gemma ? run(`${path}.${norm}`, x) : x);
    const inside = { forward: (x: Tensor) => this.attend(i, x, pass), attention: this.attentionParts(i, pass) };
    const mixed = add(h, behind("post_attention_layernorm", run(`${path}.self_attn`, run(`${path}.input_layernorm`, h), inside)));
    const x = run(`${path}.${gemma ? "pre_feedforward_layernorm" : "post_attention_layernorm"}`, mixed);
    return add(mixed, behind("post_feedforward_layernorm", run(`${path}.mlp.down_proj`, this.gated(`${path}.mlp`, x, run))));
  }

  /** activation(gate) · up */
  private gated(path: string, x: Tensor, run: RunLayer): Tensor {
    const { fused, intermediateSize, activation } = this.config;
    const [gate, up] = fused
      ? (split(run(`${path}.gate_up_proj`, x), [intermediateSize, intermediateSize], 2) as [Tensor, Tensor])
      : [run(`${path}.gate_proj`, x), run(`${path}.up_proj`, x)];
    return activation === undefined ? swiglu(gate, up) : mul(activationOf(activation, "hidden_activation")(gate), up);
  }

  private attentionParts(i: number, { rotate, run }: Pass): AttentionParts {
    const { headDim, heads, keyValueHeads, qkNorm, fused } = this.config;
    const path = `model.layers.${i}.self_attn`;
    const counts = { q: heads, k: keyValueHeads, v: keyValueHeads };
    const sizes = Object.values(counts).map((count) => count * headDim);
    // The three of one input are one product.
    const together = ofLast((x) => split(run(`${path}.qkv_proj`, x), sizes, 2));
    const projected = (name: keyof typeof counts, x: Tensor): Tensor =>
      fused ? together(x)[Object.keys(counts).indexOf(name)]! : run(`${path}.${name}_proj`, x);
    const inHeads = (name: keyof typeof counts, x: Tensor): Tensor => {
      const apart = reshape(projected(name, x), [...x.shape.slice(0, 2), counts[name], headDim]);
      return turned(qkNorm && name !== "v" ? run(`${path}.${name}_norm`, apart) : apart);
    };
    return {
      queries: (x) => rotate(i, inHeads("q", x)),
      keys: (x) => inHeads("k", x),
      values: (x) => inHeads("v", x),
      project: (mixed) => run(`${path}.o_proj`, reshape(turned(mixed), [mixed.shape[0]!, mixed.shape[2]!, -1])),
    };
  }

  private attend(i: number, x: Tensor, pass: Pass): Tensor {
    const { windows, attentionScale: scale, attentionCap: cap } = this.config;
    const parts = this.attentionParts(i, pass);
    const [q, key, value] = [parts.queries(x), pass.rotate(i, parts.keys(x)), parts.values(x)];
    return parts.project(pass.attend(i, q, key, value, { window: windows[i], scale, cap }));
  }
}

/** A function that remembers what it gave for the last input. */
function ofLast<T>(of: (x: Tensor) => T): (x: Tensor) => T {
  let last: { readonly x: Tensor; readonly result: T } | undefined;
  return (x) => {
    if (last?.x !== x) last = { x, result: of(x) };
    return last.result;
  };
}

/** Llama, Mistral, Qwen2, Qwen3, SmolLM3, Phi-3, Gemma 2 and 3 (text). */
export const LLAMA: Architecture<LlamaForCausalLM> = architecture({
  modelTypes: MODEL_TYPES,
  readConfig: readLlamaConfig,
  parameters: llamaParameters,
  tied,
  create: (config, weights, options) => new LlamaForCausalLM(config, weights, options),
});
