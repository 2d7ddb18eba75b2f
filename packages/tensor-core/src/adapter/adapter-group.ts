import { CapabilityError, ConfigError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { type TorchGenerator, torchGenerator } from "../random/index.js";
import type { AdaptedLayer, LayerSummary } from "./adapted-layer.js";
import { adaptLayer, type LayerInput, specOf } from "./adapt-layer.js";
import { assertNewLayer, assertOfLayers, type CheckOptions } from "./check-new-layer.js";
import type { MergeWeightOptions } from "./derive.js";
import type { AdapterMethod, Params } from "./method.js";

/** What an adapter over several layers amounts to: of all of them; rank and alpha where they are those of all. */
export interface AdapterSummary extends LayerSummary {
  readonly layers: number;
}

/** What adapters over several layers are made with. */
export interface AdapterGroupOptions extends CheckOptions {
  /** Where the numbers of layers that are added come from. */
  readonly generator?: TorchGenerator;
  /** Parameters that all layers have in common. */
  readonly shared?: Params;
}

/** An adapter over several layers, by module path. */
export class AdapterGroup<C> {
  readonly method: AdapterMethod<C>;
  readonly config: C;
  readonly shared: Params;
  private readonly generator: TorchGenerator;
  private readonly check: CheckOptions;
  private readonly adapted: Map<string, AdaptedLayer<C>>;

  constructor(
    method: AdapterMethod<C>,
    config: C,
    layers: ReadonlyMap<string, AdaptedLayer<C>>,
    { generator = torchGenerator(0), shared = {}, ...check }: AdapterGroupOptions = {},
  ) {
    this.method = method;
    this.config = config;
    this.adapted = new Map(layers);
    this.generator = generator;
    this.shared = shared;
    this.check = check;
  }

  get layers(): ReadonlyMap<string, AdaptedLayer<C>> {
    return this.adapted;
  }

  /** @throws ConfigError if the adapter has no such layer */
  get(path: string): AdaptedLayer<C> {
    const layer = this.adapted.get(path);
    if (!layer)
      throw new ConfigError(`the adapter has no layer "${path}"`, { hint: `it has ${[...this.adapted.keys()].slice(0, 5).join(", ")}` });
    return layer;
  }

  /**
   * Adds a layer, initialised as PEFT does with the numbers that follow those of the layers before.
   * @throws ConfigError if there is one of this path; CapabilityError if the method gives layers their parameters in view of all of them
   */
  async addLayer(path: string, input: LayerInput): Promise<AdaptedLayer<C>> {
    if (this.adapted.has(path)) throw new ConfigError(`the adapter has a layer "${path}" already`, { hint: "removeLayer() first" });
    assertOfLayers(this.method, this.config);
    const spec = specOf(this.config, input);
    const modules = [...[...this.adapted].map(([at, { layer }]) => ({ path: at, layer })), { path, layer: spec.layer }];
    const common = Object.entries(this.method.shared?.parameters(this.config, modules) ?? {});
    const other = common.find(([name, { shape }]) => this.shared[name]?.shape.join() !== shape.join());
    if (this.method.allot || this.method.tied || this.method.derived || other)
      throw new CapabilityError(`${this.method.name}: what a layer gets depends on all of the adapter's layers: none can be added`, {
        hint: "create the adapter with all of its layers",
      });
    assertNewLayer(this.method, this.config, spec.layer, path, this.check);
    const layer = await adaptLayer(
      this.method,
      this.config,
      { ...spec, path, index: this.adapted.size, count: modules.length },
      this.generator,
      this.shared,
    );
    this.adapted.set(path, layer);
    return layer;
  }

  /** Takes a layer out of the adapter; it stays as it is by itself. @throws ConfigError if there is none */
  removeLayer(path: string): AdaptedLayer<C> {
    const layer = this.get(path);
    this.adapted.delete(path);
    return layer;
  }

  /** @throws ConfigError, ShapeError as `AdaptedLayer.forward` */
  forward(path: string, x: Tensor, options: Parameters<AdaptedLayer<C>["forward"]>[1] = {}): Tensor {
    return this.get(path).forward(x, options);
  }

  /** Merges the layers that are not merged yet. @throws CapabilityError if one cannot be merged; nothing is changed then */
  mergeAll(options: Omit<MergeWeightOptions, "unmerged"> = {}): void {
    const open = [...this.adapted.values()].filter((layer) => !layer.merged);
    try {
      for (const layer of open) layer.merge(options);
    } catch (error) {
      for (const layer of open) if (layer.merged) layer.unmerge();
      throw error;
    }
  }

  /** Puts the base weights of the merged layers back. */
  unmergeAll(): void {
    for (const layer of this.adapted.values()) if (layer.merged) layer.unmerge();
  }

  enable(): void {
    for (const layer of this.adapted.values()) layer.enable();
  }

  disable(): void {
    for (const layer of this.adapted.values()) layer.disable();
  }

  get summary(): AdapterSummary {
    const all = [...this.adapted.values()].map((layer) => layer.summary);
    const sum = (of: (s: LayerSummary) => number): number => all.reduce((total, s) => total + of(s), 0);
    const common = (of: (s: LayerSummary) => number | undefined): number | undefined =>
      new Set(all.map(of)).size === 1 ? of(all[0]!) : undefined;
    const [trainable, total] = [sum((s) => s.trainable), sum((s) => s.total)];
    return {
      layers: all.length,
      rank: common((s) => s.rank),
      alpha: common((s) => s.alpha),
      trainable,
      original: sum((s) => s.original),
      total,
      ratio: total === 0 ? 0 : trainable / total,
      adapterBytes: sum((s) => s.adapterBytes),
      savedBytes: sum((s) => s.savedBytes),
    };
  }
}
