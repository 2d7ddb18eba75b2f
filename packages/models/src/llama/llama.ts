import type { WeightSource } from "@weft/io-safetensors";
import { add, attention, type BaseLayer, cast, cos, type Device, iota, type LayerSpec, less, lessEqual, logicalAnd, mul, reshape, rmsNorm, rope, silu, sin, tensor, type Tensor, transpose, concat } from "@weft/tensor-core";
import { type LayerHook, runLayer } from "../hooks.js";
import { loadWeights, weightOf, type Weights } from "../weights.js";
import { type LlamaConfig, readLlamaConfig } from "./config.js";
import { ropeFrequencies } from "./rope.js";

/** Inputs of a pass over whole sequences. */
export interface CausalInputs {
  /** Token ids, i32 [batch, length]. */
  readonly inputIds: Tensor;
  /** 1 where a token counts, 0 where it is padding (either side); i32 [batch, length]. */
  readonly attentionMask?: Tensor;
  /** Positions, i32 [batch or 1, length]; 0, 1, 2 … if not given, also under left padding, as transformers' forward does. */
  readonly positionIds?: Tensor;
}

export interface CausalOutput {
  /** [batch, length, vocabulary]. */
  readonly logits: Tensor;
  /** The embeddings, then the result of each block; the last one after the final norm. [batch, length, hidden] */
  readonly hiddenStates: readonly Tensor[];
}

/** A layer of the model as adapters see it. */
export interface NamedLayer {
  readonly path: string;
  readonly layer: LayerSpec;
  readonly base: BaseLayer;
}

/**
 * Llama, and the architectures that differ from it in little: Mistral (sliding window), Qwen2 (biases on q, k, v), Qwen3 (norms on q and k).
 * A pure function of weights, inputs and a hook; paths and parameter names are those of transformers.
 * @see transformers `models/llama/modeling_llama.py`
 */
export class LlamaForCausalLM {
  readonly config: LlamaConfig;
  readonly weights: Weights;

  constructor(config: LlamaConfig, weights: Weights) {
    this.config = config;
    this.weights = weights;
  }

  /** @param json the parsed `config.json` */
  static async load(json: { readonly [field: string]: unknown }, source: WeightSource, options: { readonly device?: Device } = {}): Promise<LlamaForCausalLM> {
    return new LlamaForCausalLM(readLlamaConfig(json), await loadWeights(source, options.device));
  }

  /** The same model over other weights (merged ones, or with some replaced). */
  withWeights(changes: ReadonlyMap<string, Tensor>): LlamaForCausalLM {
    return new LlamaForCausalLM(this.config, new Map([...this.weights, ...changes]));
  }

  /** Every layer that an adapter can attach to, in the order of the Python model. */
  layers(): NamedLayer[] {
    const paths = ["model.embed_tokens"];
    for (let i = 0; i < this.config.layers; i++) {
      for (const name of ["q_proj", "k_proj", "v_proj", "o_proj"]) paths.push(`model.layers.${i}.self_attn.${name}`);
      for (const name of ["gate_proj", "up_proj", "down_proj"]) paths.push(`model.layers.${i}.mlp.${name}`);
    }
    return [...paths, "lm_head"].map((path) => ({ path, ...this.layer(path) }));
  }

  private layer(path: string): { layer: LayerSpec; base: BaseLayer } {
    const embedding = path === "model.embed_tokens";
    // A tied head has no tensor of its own.
    const name = path === "lm_head" && !this.weights.has("lm_head.weight") && this.config.tieWordEmbeddings ? "model.embed_tokens.weight" : `${path}.weight`;
    const weight = weightOf(this.weights, name);
    const bias = this.weights.get(`${path}.bias`);
    return { layer: { kind: embedding ? "embedding" : "linear", shape: weight.shape, dtype: weight.dtype, bias: bias !== undefined }, base: { weight, bias } };
  }

  /** Logits and hidden states, lazily. */
  forward({ inputIds, attentionMask, positionIds }: CausalInputs, hook?: LayerHook): CausalOutput {
    const { config, weights } = this;
    const [batch, length] = inputIds.shape as [number, number];
    const run = (path: string, x: Tensor): Tensor => {
      const { layer, base } = this.layer(path);
      return runLayer(hook, path, layer, base, x);
    };
    const norm = (path: string, x: Tensor): Tensor => rmsNorm(x, weightOf(weights, `${path}.weight`), config.normEps);

    const positions = positionIds ?? iota([1, length], 1);
    const { inverse, factor } = ropeFrequencies(config, length);
    const angles = mul(reshape(cast(positions, "f32"), [positions.shape[0]!, length, 1]), tensor(Float32Array.from(inverse), { shape: [1, 1, inverse.length] }));
    const both = concat([angles, angles], 2);
    const [cosine, sine] = [mul(cos(both), factor), mul(sin(both), factor)];
    const mask = this.mask(batch, length, attentionMask);

    let h = run("model.embed_tokens", inputIds);
    const hiddenStates = [h];
    for (let i = 0; i < config.layers; i++) {
      const block = `model.layers.${i}`;
      const heads = (name: string, x: Tensor, count: number): Tensor => {
        const split = reshape(run(`${block}.self_attn.${name}_proj`, x), [batch, length, count, config.headDim]);
        return transpose(config.qkNorm && name !== "v" ? norm(`${block}.self_attn.${name}_norm`, split) : split, [0, 2, 1, 3]);
      };
      const x = norm(`${block}.input_layernorm`, h);
      const q = rope(heads("q", x, config.heads), cosine, sine);
      const k = rope(heads("k", x, config.keyValueHeads), cosine, sine);
      const mixed = attention(q, k, heads("v", x, config.keyValueHeads), mask ? { mask } : { causal: true });
      h = add(h, run(`${block}.self_attn.o_proj`, reshape(transpose(mixed, [0, 2, 1, 3]), [batch, length, config.heads * config.headDim])));
      const y = norm(`${block}.post_attention_layernorm`, h);
      h = add(h, run(`${block}.mlp.down_proj`, mul(silu(run(`${block}.mlp.gate_proj`, y)), run(`${block}.mlp.up_proj`, y))));
      hiddenStates.push(h);
    }
    const last = norm("model.norm", h);
    hiddenStates[hiddenStates.length - 1] = last;
    return { logits: run("lm_head", last), hiddenStates };
  }

  /** Which keys a position sees, bool [batch or 1, 1, length, length]; undefined where plain causality is all. */
  private mask(batch: number, length: number, attentionMask: Tensor | undefined): Tensor | undefined {
    const window = this.config.slidingWindow;
    if (!attentionMask && window === undefined) return undefined;
    const space = [1, 1, length, length];
    const [row, column] = [iota(space, 2), iota(space, 3)];
    let visible = lessEqual(column, row);
    if (window !== undefined) visible = logicalAnd(visible, less(row, add(column, window)));
    if (attentionMask) visible = logicalAnd(visible, cast(reshape(attentionMask, [batch, 1, 1, length]), "bool"));
    return visible;
  }
}
