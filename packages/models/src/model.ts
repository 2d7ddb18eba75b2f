import { type BaseLayer, type Device, type LayerSpec, type Tensor, zeros } from "@weft/tensor-core";
import { type LayerHook, runLayer } from "./hooks.js";
import type { ModuleDescription, NamedModules } from "./modules.js";
import { weightOf, type Weights } from "./weights.js";

/** A layer of the model as adapters see it. */
export interface NamedLayer {
  readonly path: string;
  readonly layer: LayerSpec;
  readonly base: BaseLayer;
}

/** The device that a model's tensors are for, and what attention gives where a position sees no key. */
export interface ModelOptions {
  /** Where the weights lie. */
  readonly device?: Device;
  /** With a device: weights are read when they are first needed there, not when the model is loaded. The checkpoint stays where it is. */
  readonly whenNeeded?: boolean;
  /**
   * What a position that sees no key gets (padding on the left): `sdpa` (transformers' default) gives zeros, `eager` the mean of all values, as softmax
   * over equal scores of finfo.min does. Real tokens do not differ. Without meaning where there is no attention.
   */
  readonly attention?: "sdpa" | "eager";
}

/** A layer through the hook of a pass; `whole`: how an attention or a block runs. */
export type RunLayer = (path: string, x: Tensor, whole?: Pick<BaseLayer, "forward" | "attention">) => Tensor;

/** Two names of one parameter, of which a checkpoint may have one: the output layer's and the embedding's. */
export type Tied = readonly [head: string, embedding: string];

/** The weight of what has none of its own. */
const NONE = zeros([0]);

/** What all models have: parameters under the names of the Python original, and layers under the paths that adapters attach to. */
export abstract class Model<Config extends { readonly modelType: string }> {
  readonly config: Config;
  readonly weights: Weights;
  protected readonly options: ModelOptions;
  private readonly modules: ReadonlyMap<string, ModuleDescription>;
  private readonly tied: Tied | undefined;

  constructor(config: Config, weights: Weights, options: ModelOptions, modules: NamedModules, tied?: Tied) {
    this.config = config;
    this.weights = weights;
    this.options = options;
    this.modules = new Map(modules);
    this.tied = tied;
  }

  /** The same model over other weights (merged ones, or with some replaced). */
  abstract withWeights(changes: ReadonlyMap<string, Tensor>): Model<Config>;

  /** Every module with its path, also those that no adapter attaches to, as PEFT's matching sees them. */
  namedModules(): IterableIterator<[path: string, module: ModuleDescription]> {
    return this.modules.entries();
  }

  /** Every layer that an adapter can attach to, in the order of the Python model. */
  layers(): NamedLayer[] {
    return [...this.modules].filter(([, { kind }]) => kind !== "other").map(([path]) => ({ path, ...this.layer(path) }));
  }

  protected runner(hook?: LayerHook): RunLayer {
    return (path, x, whole) => {
      const { layer, base } = this.layer(path);
      return runLayer(hook, path, layer, { ...base, ...whole }, x);
    };
  }

  /** A parameter that is no layer's weight. */
  protected parameter(name: string): Tensor {
    return weightOf(this.weights, name);
  }

  protected layer(path: string): { layer: LayerSpec; base: BaseLayer } {
    const { kind, out, transposed, norm, kernel } = this.modules.get(path)!;
    if (kind === "attention" || kind === "block")
      return { layer: { kind, shape: [out], dtype: this.dtype(), bias: false }, base: { weight: NONE } };
    const weight = this.weights.get(`${path}.weight`) ?? weightOf(this.weights, this.otherName(`${path}.weight`));
    const bias = this.weights.get(`${path}.bias`);
    const conv = kernel !== undefined && { conv: { stride: [1], padding: [0], dilation: [1], groups: out } };
    return {
      layer: {
        kind: kind as LayerSpec["kind"],
        shape: weight.shape,
        dtype: weight.dtype,
        bias: bias !== undefined,
        ...(transposed && { transposed }),
        ...(norm && { norm }),
        ...conv,
      },
      base: { weight, bias },
    };
  }

  /** What the model computes in: the dtype of its last norm. */
  private dtype(): LayerSpec["dtype"] {
    const [path] = [...this.modules].findLast(([, { kind }]) => kind === "norm")!;
    return this.layer(path).layer.dtype;
  }

  /** The name under which a tied parameter is there, if not under its own. */
  private otherName(name: string): string {
    return this.tied?.includes(name) ? this.tied.find((one) => one !== name)! : name;
  }
}
