import { bytesPerElement } from "../dtype.js";
import { ConfigError, ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { sameShape, sizeOf } from "../shape.js";
import { adapterParams } from "./adapter-params.js";
import { forwardAdapters, mergeBias, mergeWeight, type MergeWeightOptions } from "./derive.js";
import { type BaseLayer, forwardBase, type LayerSpec } from "./layer.js";
import type { AdapterContext, AdapterMethod, Params } from "./method.js";

/** One layer with one adapter, for users without a model around it: run, switch off, merge, unmerge, count. */
export class AdaptedLayer<C> {
  readonly method: AdapterMethod<C>;
  readonly layer: LayerSpec;
  readonly config: C;
  private readonly original: BaseLayer;
  private current: BaseLayer;
  private readonly shared: Params;
  private readonly autocastAdapterDtype: boolean;
  private tensors: Params;
  private on = true;

  /**
   * @param shared parameters that are not the layer's own: those in common with the adapter's other layers, and derived ones; not counted
   * @param autocastAdapterDtype compute with the parameters in f32 whatever dtype they have, or in the weight's, as PEFT does
   * @throws ShapeError if a parameter does not have the shape that config and layer give it
   */
  constructor(
    method: AdapterMethod<C>,
    config: C,
    layer: LayerSpec,
    base: BaseLayer,
    params: Params,
    shared: Params = {},
    autocastAdapterDtype = true,
  ) {
    this.method = method;
    this.shared = shared;
    this.autocastAdapterDtype = autocastAdapterDtype;
    this.config = config;
    this.layer = layer;
    this.original = this.current = base;
    this.tensors = {};
    for (const [name, tensor] of Object.entries(params)) this.set(name, tensor);
    for (const name of Object.keys(method.parameters(config, layer)))
      if (!this.tensors[name]) throw new ConfigError(`${method.name}: parameter ${name} is missing`);
  }

  get params(): Params {
    return this.tensors;
  }

  get merged(): boolean {
    return this.current !== this.original;
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

  /** Replaces a parameter. @throws ShapeError, ConfigError; an error while merged, since W' holds the old one */
  set(name: string, tensor: Tensor): void {
    const spec = this.method.parameters(this.config, this.layer)[name];
    if (!spec)
      throw new ConfigError(`${this.method.name} has no parameter "${name}"`, {
        hint: `it has ${Object.keys(this.method.parameters(this.config, this.layer)).join(", ")}`,
      });
    if (!sameShape(spec.shape, tensor.shape))
      throw new ShapeError(`${this.method.name}: ${name} is [${tensor.shape}], expected [${spec.shape}]`);
    if (this.merged)
      throw new ConfigError(`${this.method.name}: ${name} cannot change while the adapter is merged`, { hint: "unmerge() first" });
    this.tensors = { ...this.tensors, [name]: tensor };
  }

  /** The layer's result; with a batch of any leading shape. Merged, one product with W'; disabled, the base alone. */
  forward(x: Tensor, dropout?: (x: Tensor) => Tensor): Tensor {
    if (!this.on) return forwardBase(this.layer, this.original, x);
    if (this.merged) return forwardBase(this.layer, this.current, x);
    return forwardAdapters(
      this.layer,
      this.original,
      [{ method: this.method, params: this.all, context: this.context } as never],
      x,
      dropout,
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
      throw new ConfigError(`${this.method.name}: the adapter is already merged`, {
        hint: "unmerge() first; merging twice would add it twice",
      });
    const weight = mergeWeight(this.method, this.original.weight, this.all, this.context, options);
    this.current = { weight, bias: mergeBias(this.method, this.original.bias, this.all, this.context, this.original) };
  }

  /** Puts the base weight back, bit for bit: it was kept. @throws ConfigError if nothing is merged */
  unmerge(): void {
    if (!this.merged) throw new ConfigError(`${this.method.name}: the adapter is not merged`);
    this.current = this.original;
  }

  /** Parameter counts, the trainable share of the layer, and the bytes that a fine-tuned copy of the layer would take more than the adapter. */
  get summary(): { trainable: number; total: number; ratio: number; adapterBytes: number; savedBytes: number } {
    const specs = this.method.parameters(this.config, this.layer);
    const trainable = Object.values(specs).reduce((sum, s) => sum + (s.trainable ? sizeOf(s.shape) : 0), 0);
    const base = sizeOf(this.layer.shape) + (this.original.bias ? this.original.bias.size : 0);
    const adapter = Object.values(this.tensors).reduce((sum, t) => sum + t.size, 0);
    const adapterBytes = Object.values(this.tensors).reduce((sum, t) => sum + t.size * bytesPerElement(t.dtype), 0);
    return {
      trainable,
      total: base + adapter,
      ratio: trainable / (base + adapter),
      adapterBytes,
      savedBytes: base * bytesPerElement(this.layer.dtype) - adapterBytes,
    };
  }

  private get all(): Params {
    return adapterParams({ ...this.shared, ...this.tensors }, this.layer.dtype, this.autocastAdapterDtype);
  }

  private get context(): AdapterContext<C> {
    return { layer: this.layer, config: this.config, scale: 1 };
  }
}
