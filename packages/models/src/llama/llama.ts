import type { WeightSource } from "@weft/io-safetensors";
import {
  add,
  type AttentionParts,
  CapabilityError,
  type LongCallOptions,
  type Mirror,
  type MirrorSizes,
  reshape,
  rope,
  ShapeError,
  type SharedInput,
  swiglu,
  type Tensor,
  transpose,
} from "@weft/tensor-core";
import { type Architecture, architecture } from "../architecture.js";
import { type AttentionPass, beginAttention, cacheAfter } from "../causal/attend.js";
import { type CacheOptions, emptyCache } from "../causal/cache.js";
import type { CausalOutput } from "../causal/causal-lm.js";
import { type CausalInputs, defaultPositions, keptStates, type KeyValues, withVirtualTokens } from "../causal/inputs.js";
import type { ConfigJson } from "../config-fields.js";
import type { LayerHook } from "../hooks.js";
import { Model, type ModelOptions, type RunLayer, type Tied } from "../model.js";
import type { Weights } from "../weights.js";
import { type LlamaConfig, MODEL_TYPES, readLlamaConfig } from "./config.js";
import { mirrorConfig, mirrorParameters } from "./mirror.js";
import { llamaModules, llamaParameters, llamaSharedInputs } from "./modules.js";
import { ropeFrequencies, ropeFrequenciesAt, ropeTables } from "./rope.js";

/** What all blocks of one pass share. */
interface Pass extends AttentionPass {
  readonly cosine: Tensor;
  readonly sine: Tensor;
  readonly run: RunLayer;
}

/** [batch, length, heads, head dim] with the middle axes exchanged, and back. */
const turned = (t: Tensor): Tensor => transpose(t, [0, 2, 1, 3]);

const tied = ({ tieWordEmbeddings }: LlamaConfig): Tied | undefined =>
  tieWordEmbeddings ? ["lm_head.weight", "model.embed_tokens.weight"] : undefined;

/**
 * Llama, and the architectures that differ from it in little: Mistral (sliding window), Qwen2 (biases on q, k, v), Qwen3 (norms on q and k).
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
    return { logits: run("lm_head", keptStates(states.at(-1)!, inputs)), hiddenStates: states, ...cacheAfter(inputs, pass) };
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
    return this.runner(hook)("model.embed_tokens", inputIds);
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

  private hidden(inputs: CausalInputs, run: RunLayer): { states: Tensor[]; pass: Pass } {
    const { inputIds } = inputs;
    if (inputIds.shape.length !== 2) throw new ShapeError(`forward: inputIds is [${inputIds.shape}], expected [batch, length]`);
    let h = withVirtualTokens(run("model.embed_tokens", inputIds), inputs.virtualTokens);
    const pass = this.begin(inputs, h, run);
    const states = [h];
    for (let i = 0; i < this.config.layers; i++) states.push((h = run(`model.layers.${i}`, h, { forward: (x) => this.block(i, x, pass) })));
    return { states: [...states.slice(0, -1), run("model.norm", h)], pass };
  }

  private begin(inputs: Omit<CausalInputs, "inputIds">, embedded: Tensor, run: RunLayer): Pass {
    const { positionIds, positions } = inputs;
    const pass = beginAttention(inputs, embedded, this.config, this.options);
    const length = embedded.shape[1]!;
    const frequencies =
      pass.after && positions === undefined
        ? ropeFrequenciesAt(this.config, pass.after)
        : ropeFrequencies(this.config, positions ?? (pass.before as number) + length);
    return { ...pass, ...ropeTables(frequencies, positionIds ?? defaultPositions(length, pass.before), embedded.dtype), run };
  }

  private block(i: number, h: Tensor, pass: Pass): Tensor {
    const { run } = pass;
    const path = `model.layers.${i}`;
    const inside = { forward: (x: Tensor) => this.attend(i, x, pass), attention: this.attentionParts(i, pass) };
    const mixed = add(h, run(`${path}.self_attn`, run(`${path}.input_layernorm`, h), inside));
    const x = run(`${path}.post_attention_layernorm`, mixed);
    return add(mixed, run(`${path}.mlp.down_proj`, swiglu(run(`${path}.mlp.gate_proj`, x), run(`${path}.mlp.up_proj`, x))));
  }

  private attentionParts(i: number, { cosine, sine, run }: Pass): AttentionParts {
    const { config } = this;
    const path = `model.layers.${i}.self_attn`;
    const heads = (name: string, count: number, x: Tensor): Tensor => {
      const split = reshape(run(`${path}.${name}_proj`, x), [...x.shape.slice(0, 2), count, config.headDim]);
      return turned(config.qkNorm && name !== "v" ? run(`${path}.${name}_norm`, split) : split);
    };
    return {
      queries: (x) => rope(heads("q", config.heads, x), cosine, sine),
      keys: (x) => heads("k", config.keyValueHeads, x),
      values: (x) => heads("v", config.keyValueHeads, x),
      project: (mixed) => run(`${path}.o_proj`, reshape(turned(mixed), [mixed.shape[0]!, mixed.shape[2]!, -1])),
    };
  }

  private attend(i: number, x: Tensor, pass: Pass): Tensor {
    const parts = this.attentionParts(i, pass);
    const [q, key, value] = [parts.queries(x), rope(parts.keys(x), pass.cosine, pass.sine), parts.values(x)];
    return parts.project(pass.attend(i, q, key, value, this.config.windows[i]));
  }
}

/** Llama, Mistral, Qwen2 and Qwen3. */
export const LLAMA: Architecture<LlamaForCausalLM> = architecture({
  modelTypes: MODEL_TYPES,
  readConfig: readLlamaConfig,
  parameters: llamaParameters,
  tied,
  create: (config, weights, options) => new LlamaForCausalLM(config, weights, options),
});
