import { assertDType, bytesPerElement, type DType } from "../dtype.js";
import { ConfigError, DTypeError, ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { cast } from "../ops/cast.js";
import { sub } from "../ops/elementwise.js";
import { sameShape, sizeOf } from "../shape.js";
import { adapterParams } from "./adapter-params.js";
import { forwardAdapters, mergeBias, mergeWeight, type MergeWeightOptions } from "./derive.js";
import { assertInput, type BaseLayer, forwardBase, type LayerSpec } from "./layer.js";
import type { AdapterContext, AdapterMethod, Params } from "./method.js";
import { drawsOf } from "./training-pass.js";

/** The first of these fields of a config that is a number. */
function numberOf(config: unknown, names: readonly string[]): number | undefined {
  const values = config as { readonly [name: string]: unknown };
  return names.map((name) => values[name]).find((value) => typeof value === "number");
}

/** What a layer with an adapter is made with. */
export interface AdaptedLayerOptions {
  /** Parameters that are not the layer's own: those in common with the adapter's other layers, and derived ones; not counted. */
  readonly shared?: Params;
  /** Compute with the parameters in f32 whatever dtype they have (default), or in the weight's, as PEFT does. */
  readonly autocastAdapterDtype?: boolean;
  /** How errors call the layer; by the method if not given. */
  readonly name?: string;
}

/** What an adapter on a layer amounts to. */
export interface LayerSummary {
  /** Rank and alpha of the config; undefined if the method has none. */
  readonly rank: number | undefined;
  readonly alpha: number | undefined;
  readonly trainable: number;
  /** Parameters of the layer itself. */
  readonly original: number;
  /** Of the layer and of the adapter. */
  readonly total: number;
  /** trainable / total. */
  readonly ratio: number;
  readonly adapterBytes: number;
  /** What a fine-tuned copy of the layer would take more than the adapter, in bytes. */
  readonly savedBytes: number;
}

/** One layer with one adapter, for users without a model around it: run, switch off, merge, unmerge, count. */
export class AdaptedLayer<C> {
  readonly method: AdapterMethod<C>;
  readonly layer: LayerSpec;
  readonly config: C;
  /** The layer below: as it was given, or as the initialisation changed it (PiSSA). */
  readonly base: BaseLayer;
  private current: BaseLayer;
  readonly shared: Params;
  private readonly autocastAdapterDtype: boolean;
  /** How errors call it: the path in its adapter. */
  private readonly name: string;
  private tensors: Params;
  private on = true;

  /** @throws ShapeError if a parameter does not have the shape that config and layer give it */
  constructor(
    method: AdapterMethod<C>,
    config: C,
    layer: LayerSpec,
    base: BaseLayer,
    params: Params,
    { shared = {}, autocastAdapterDtype = true, name = method.name }: AdaptedLayerOptions = {},
  ) {
    this.name = name;
    this.method = method;
    this.shared = shared;
    this.autocastAdapterDtype = autocastAdapterDtype;
    this.config = config;
    this.layer = layer;
    this.base = this.current = base;
    this.tensors = {};
    for (const [name, tensor] of Object.entries(params)) this.set(name, tensor);
    for (const name of Object.keys(method.parameters(config, layer)))
      if (!this.tensors[name]) throw new ConfigError(`${method.name}: parameter ${name} is missing`);
  }

  get params(): Params {
    return this.tensors;
  }

  get merged(): boolean {
    return this.current !== this.base;
  }

  get enabled(): boolean {
    return this.on;
  }

  /** The weight that `forward` uses: W', once merged. */
  get weight(): Tensor {
    return this.current.weight;
  }

  get bias(): Tensor | undefined {
    return this.current.bias;
  }

  /**
   * Replaces a parameter.
   * @param dtype that the tensor must have, for adapters that are to be held in so many bits; any if not given
   * @throws ShapeError, ConfigError, DTypeError; an error while merged, since W' holds the old one
   */
  set(name: string, tensor: Tensor, { dtype }: { readonly dtype?: DType } = {}): void {
    const spec = this.method.parameters(this.config, this.layer)[name];
    if (!spec)
      throw new ConfigError(`${this.method.name} has no parameter "${name}"`, {
        hint: `it has ${Object.keys(this.method.parameters(this.config, this.layer)).join(", ")}`,
      });
    if (!sameShape(spec.shape, tensor.shape)) throw new ShapeError(`${this.name}: ${name} is [${tensor.shape}], expected [${spec.shape}]`);
    if (dtype !== undefined) assertDType(dtype);
    if (dtype !== undefined && tensor.dtype !== dtype)
      throw new DTypeError(`${this.name}: ${name} is ${tensor.dtype}, expected ${dtype}`, {
        tensor: name,
        hint: `cast(tensor, "${dtype}") first`,
      });
    if (this.merged) throw new ConfigError(`${this.name}: ${name} cannot change while the adapter is merged`, { hint: "unmerge() first" });
    this.tensors = { ...this.tensors, [name]: tensor };
  }

  /** ΔW: what merging adds to the weight, in f32. @throws CapabilityError if the method cannot be merged */
  delta(): Tensor {
    const wide = cast(this.base.weight, "f32");
    return sub(mergeWeight(this.method, wide, this.all, this.context, { dtype: "f32" }), wide);
  }

  /**
   * The layer's result; with a batch of any leading shape. Merged, one product with W'; disabled, the base alone.
   * @param dropoutKey the pass trains: the dropout that the config asks for is drawn from this key (`randomKey(step)`)
   * @throws ShapeError, DTypeError naming the layer if the input does not fit
   */
  forward(x: Tensor, { dropoutKey }: { readonly dropoutKey?: Tensor | undefined } = {}): Tensor {
    assertInput(this.layer, x, this.name);
    if (dropoutKey && this.merged)
      throw new ConfigError(`${this.name}: a merged adapter does not train: it takes no dropoutKey`, { hint: "unmerge() first" });
    if (!this.on) return forwardBase(this.layer, this.base, x);
    if (this.merged) return forwardBase(this.layer, this.current, x);
    return forwardAdapters(
      this.layer,
      this.base,
      [{ method: this.method, params: this.all, context: { ...this.context, ...(dropoutKey && drawsOf(dropoutKey)) } } as never],
      x,
    );
  }

  enable(): void {
    this.on = true;
  }

  disable(): void {
    this.on = false;
  }

  /** Puts W' in the place of W. @throws ConfigError if it is merged already */
  merge(options: Omit<MergeWeightOptions, "unmerged"> = {}): void {
    if (this.merged)
      throw new ConfigError(`${this.name}: the adapter is already merged`, {
        hint: "unmerge() first; merging twice would add it twice",
      });
    const weight = mergeWeight(this.method, this.base.weight, this.all, this.context, options);
    this.current = { weight, bias: mergeBias(this.method, this.base.bias, this.all, this.context, this.base) };
  }

  /** Puts the base weight back, bit for bit: it was kept. @throws ConfigError if nothing is merged */
  unmerge(): void {
    if (!this.merged) throw new ConfigError(`${this.name}: the adapter is not merged`);
    this.current = this.base;
  }

  get summary(): LayerSummary {
    const specs = this.method.parameters(this.config, this.layer);
    const trainable = Object.values(specs).reduce((sum, s) => sum + (s.trainable ? sizeOf(s.shape) : 0), 0);
    const bytes = (list: readonly Tensor[]): number => list.reduce((sum, t) => sum + t.size * bytesPerElement(t.dtype), 0);
    const held = this.base.bias ? [this.base.weight, this.base.bias] : [this.base.weight];
    const original = held.reduce((sum, t) => sum + t.size, 0);
    const adapter = Object.values(this.tensors).reduce((sum, t) => sum + t.size, 0);
    const adapterBytes = bytes(Object.values(this.tensors));
    const total = original + adapter;
    return {
      rank: numberOf(this.config, ["rank", "initR", "r"]),
      alpha: numberOf(this.config, ["loraAlpha", "alpha"]),
      trainable,
      original,
      total,
      ratio: trainable / total,
      adapterBytes,
      savedBytes: bytes(held) - adapterBytes,
    };
  }

  private get all(): Params {
    return adapterParams({ ...this.shared, ...this.tensors }, this.layer.dtype, this.autocastAdapterDtype);
  }

  private get context(): AdapterContext<C> {
    return { layer: this.layer, config: this.config, scale: 1 };
  }
}
