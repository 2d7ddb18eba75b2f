import type { WeightSource } from "@weft/io-safetensors";
import {
  add,
  attention,
  type AttentionParts,
  type BaseLayer,
  broadcastTo,
  CapabilityError,
  cast,
  type Device,
  type LayerSpec,
  type LongCallOptions,
  logicalNot,
  logicalOr,
  max,
  type Mirror,
  type MirrorSizes,
  reshape,
  rope,
  ShapeError,
  type SharedInput,
  swiglu,
  type Tensor,
  transpose,
  where,
  zeros,
} from "@weft/tensor-core";
import { type ConfigJson, parseConfig } from "../config-fields.js";
import { type LayerHook, runLayer } from "../hooks.js";
import { loadWeights, weightOf, type Weights } from "../weights.js";
import { type CacheOptions, emptyCache, roomOf, withOwn } from "./cache.js";
import { type LlamaConfig, readLlamaConfig } from "./config.js";
import { type CausalInputs, defaultPositions, type KeyValues, withPast, withVirtualTokens } from "./inputs.js";
import { causalMask } from "./mask.js";
import { mirrorConfig, mirrorParameters } from "./mirror.js";
import { llamaModules, llamaParameters, llamaSharedInputs, type ModuleDescription } from "./modules.js";
import { ropeFrequencies, ropeFrequenciesAt, ropeTables } from "./rope.js";

/** What a causal language model computes. */
export interface CausalOutput {
  /** [batch, virtual + length, vocabulary]. */
  readonly logits: Tensor;
  /** The embeddings, then the result of each block; the last one after the final norm. [batch, virtual + length, hidden] */
  readonly hiddenStates: readonly Tensor[];
  /** The cache of the inputs with the keys and values of this pass in it. */
  readonly cache?: readonly KeyValues[];
}

/** A layer of the model as adapters see it. */
export interface NamedLayer {
  readonly path: string;
  readonly layer: LayerSpec;
  readonly base: BaseLayer;
}

/** The device that a model's tensors are for, and what attention gives where a position sees no key. */
export interface LlamaOptions {
  /** Where the weights lie. */
  readonly device?: Device;
  /**
   * What a position that sees no key gets (padding on the left): `sdpa` (transformers' default) gives zeros, `eager` the mean of all values, as softmax
   * over equal scores of finfo.min does. Real tokens do not differ.
   */
  readonly attention?: "sdpa" | "eager";
}

/** What all blocks of one pass share. */
interface Pass {
  readonly past: readonly KeyValues[] | undefined;
  /** Where keys and values are kept, and which position the input begins at. */
  readonly room: ReturnType<typeof roomOf>;
  /** What the cache is filled with after the pass, i32 [batch]. */
  readonly lengths: Tensor | undefined;
  /** Layers of the cache after the pass, put down by the blocks. */
  readonly filled: KeyValues[];
  readonly cosine: Tensor;
  readonly sine: Tensor;
  readonly maskFor: (window: number | undefined) => Tensor | undefined;
  /** A layer through the hook; `whole`: how an attention or a block runs. */
  readonly run: (path: string, x: Tensor, whole?: Pick<BaseLayer, "forward" | "attention">) => Tensor;
}

/** The weight of what has none of its own. */
const NONE = zeros([0]);
/** [batch, length, heads, head dim] with the middle axes exchanged, and back. */
const turned = (t: Tensor): Tensor => transpose(t, [0, 2, 1, 3]);

/**
 * Llama, and the architectures that differ from it in little: Mistral (sliding window), Qwen2 (biases on q, k, v), Qwen3 (norms on q and k).
 * A pure function of weights, inputs and a hook; paths and parameter names are those of transformers.
 * @see transformers `models/llama/modeling_llama.py`
 */
export class LlamaForCausalLM {
  readonly config: LlamaConfig;
  readonly weights: Weights;
  private readonly options: LlamaOptions;
  private readonly modules: ReadonlyMap<string, ModuleDescription>;

  constructor(config: LlamaConfig, weights: Weights, options: LlamaOptions = {}) {
    this.config = config;
    this.weights = weights;
    this.options = options;
    this.modules = new Map(llamaModules(config));
  }

  /**
   * Reads the parameters that the config asks for; other tensors of the source are left alone.
   * @param json `config.json`: its text, its bytes, or parsed
   * @throws ConfigError; FormatError kind `missing-tensor`; ShapeError naming the tensor; CancelledError
   */
  static async load(
    json: ConfigJson | string | Uint8Array,
    source: WeightSource,
    { signal, onProgress, ...options }: LlamaOptions & LongCallOptions = {},
  ): Promise<LlamaForCausalLM> {
    const config = readLlamaConfig(parseConfig(json));
    const expected = llamaParameters(config);
    const tied = ["lm_head.weight", "model.embed_tokens.weight"] as const;
    // Of two tied tensors the one that is there serves for both; if both are, both are used, as they may have come to differ.
    if (config.tieWordEmbeddings && tied.some((name) => source.has(name)))
      for (const name of tied) if (!source.has(name)) expected.delete(name);
    const weights = await loadWeights(source, {
      names: expected.keys(),
      signal,
      onProgress,
      ...(options.device && { device: options.device }),
    });
    for (const [name, shape] of expected) {
      const found = weights.get(name)!;
      if (found.shape.join() !== shape.join())
        throw new ShapeError(`${source.location}: ${name} is [${found.shape}], but config.json asks for [${shape}]`, {
          tensor: name,
          file: source.location,
        });
    }
    return new LlamaForCausalLM(config, weights, options);
  }

  /** The same model over other weights (merged ones, or with some replaced). */
  withWeights(changes: ReadonlyMap<string, Tensor>): LlamaForCausalLM {
    return new LlamaForCausalLM(this.config, new Map([...this.weights, ...changes]), this.options);
  }

  /** Every module with its path, also those that no adapter attaches to, as PEFT's matching sees them. */
  namedModules(): IterableIterator<[path: string, module: ModuleDescription]> {
    return this.modules.entries();
  }

  /** Every layer that an adapter can attach to, in the order of the Python model. */
  layers(): NamedLayer[] {
    return [...this.modules].filter(([, { kind }]) => kind !== "other").map(([path]) => ({ path, ...this.layer(path) }));
  }

  /** Logits and hidden states, lazily. */
  forward(inputs: CausalInputs, hook?: LayerHook): CausalOutput {
    const run = this.runner(hook);
    const filled: KeyValues[] = [];
    const hiddenStates = this.hidden(inputs, run, filled);
    const logits = run("lm_head", hiddenStates.at(-1)!);
    // A hook may have taken the place of a whole attention: then its layer is as it was.
    return { logits, hiddenStates, ...(inputs.cache && { cache: inputs.cache.map((layer, i) => filled[i] ?? layer) }) };
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
    return this.block(i, hidden, this.begin({}, hidden, this.runner(hook), []));
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
        return mirror.hidden(inputs as CausalInputs, mirror.runner()).at(-1)!;
      },
    };
  }

  private runner(hook?: LayerHook): Pass["run"] {
    return (path, x, whole) => {
      const { layer, base } = this.layer(path);
      return runLayer(hook, path, layer, { ...base, ...whole }, x);
    };
  }

  private hidden(inputs: CausalInputs, run: Pass["run"], filled: KeyValues[] = []): Tensor[] {
    const { inputIds } = inputs;
    if (inputIds.shape.length !== 2) throw new ShapeError(`forward: inputIds is [${inputIds.shape}], expected [batch, length]`);
    let h = withVirtualTokens(run("model.embed_tokens", inputIds), inputs.virtualTokens);
    const pass = this.begin(inputs, h, run, filled);
    const states = [h];
    for (let i = 0; i < this.config.layers; i++) states.push((h = run(`model.layers.${i}`, h, { forward: (x) => this.block(i, x, pass) })));
    return [...states.slice(0, -1), run("model.norm", h)];
  }

  private begin(inputs: Omit<CausalInputs, "inputIds">, embedded: Tensor, run: Pass["run"], filled: KeyValues[]): Pass {
    const { attentionMask, positionIds, positions, pastKeyValues } = inputs;
    const [batch, length] = embedded.shape as [number, number];
    if (pastKeyValues && pastKeyValues.length !== this.config.layers)
      throw new ShapeError(`forward: pastKeyValues has ${pastKeyValues.length} layers, the model has ${this.config.layers}`);
    const { layers, keyValueHeads, headDim } = this.config;
    const room = roomOf(inputs, layers, [batch, keyValueHeads, length, headDim]);
    const before = pastKeyValues?.[0]?.key.shape[2] ?? 0;
    const past = room ? reshape(cast(room.position, "i32"), []) : before;
    const after = room && add(past, length);
    const frequencies =
      after && positions === undefined ? ropeFrequenciesAt(this.config, after) : ropeFrequencies(this.config, positions ?? before + length);
    const tables = ropeTables(frequencies, positionIds ?? defaultPositions(length, past), embedded.dtype);
    const masks = new Map<number | undefined, Tensor | undefined>();
    const maskFor = (window: number | undefined): Tensor | undefined => {
      if (!masks.has(window)) masks.set(window, causalMask({ batch, length, past, keys: room?.capacity, window, attentionMask }));
      return masks.get(window);
    };
    return { past: pastKeyValues, room, lengths: after && broadcastTo(after, [batch]), filled, ...tables, maskFor, run };
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
    const { past, room, lengths, filled, cosine, sine, maskFor } = pass;
    const parts = this.attentionParts(i, pass);
    let q = parts.queries(x);
    let mask = maskFor(this.config.windows[i]);
    if (mask && this.options.attention === "eager") {
      const sees = cast(max(cast(mask, "i32"), { axes: [3], keepDims: true }), "bool");
      mask = logicalOr(mask, logicalNot(sees));
      q = where(sees, q, 0);
    }
    const [ownKey, ownValue] = [rope(parts.keys(x), cosine, sine), parts.values(x)];
    const all = (name: keyof KeyValues, own: Tensor): Tensor =>
      room ? withOwn(room.cache[i]![name], past?.[i]?.[name], own, room.position) : withPast(past?.[i]?.[name], own);
    const [key, value] = [all("key", ownKey), all("value", ownValue)];
    filled[i] = { key, value };
    return parts.project(attention(q, key, value, { ...(mask ? { mask } : { causal: true }), ...(lengths && { lengths }) }));
  }

  private layer(path: string): { layer: LayerSpec; base: BaseLayer } {
    const { kind, out } = this.modules.get(path)!;
    if (kind === "attention" || kind === "block")
      return { layer: { kind, shape: [out], dtype: this.layer("model.norm").layer.dtype, bias: false }, base: { weight: NONE } };
    const weight = this.weights.get(`${path}.weight`) ?? weightOf(this.weights, this.tiedTo(path));
    const bias = this.weights.get(`${path}.bias`);
    const layer: LayerSpec = { kind: kind as LayerSpec["kind"], shape: weight.shape, dtype: weight.dtype, bias: bias !== undefined };
    return {
      layer: kind === "norm" ? { ...layer, norm: { kind: "rms", eps: this.config.normEps } } : layer,
      base: { weight, bias },
    };
  }

  /** The parameter that serves a layer without one of its own. */
  private tiedTo(path: string): string {
    if (!this.config.tieWordEmbeddings) return `${path}.weight`;
    return path === "lm_head" ? "model.embed_tokens.weight" : path === "model.embed_tokens" ? "lm_head.weight" : `${path}.weight`;
  }
}
