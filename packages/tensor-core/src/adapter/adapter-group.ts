import { ConfigError } from "../errors.js";
import type { Tensor } from "../graph.js";
import type { AdaptedLayer } from "./adapted-layer.js";
import type { MergeWeightOptions } from "./derive.js";

/** What an adapter over several layers amounts to. */
export interface AdapterSummary {
  readonly layers: number;
  readonly trainable: number;
  /** Parameters of the layers and of the adapter. */
  readonly total: number;
  readonly ratio: number;
  readonly adapterBytes: number;
  readonly savedBytes: number;
}

/** An adapter over several layers, by module path. Whole-adapter operations change all layers or none. */
export class AdapterGroup<C> {
  readonly layers: ReadonlyMap<string, AdaptedLayer<C>>;

  constructor(layers: ReadonlyMap<string, AdaptedLayer<C>>) {
    this.layers = layers;
  }

  /** @throws ConfigError if the adapter has no such layer */
  get(path: string): AdaptedLayer<C> {
    const layer = this.layers.get(path);
    if (!layer)
      throw new ConfigError(`the adapter has no layer "${path}"`, { hint: `it has ${[...this.layers.keys()].slice(0, 5).join(", ")}` });
    return layer;
  }

  forward(path: string, x: Tensor): Tensor {
    return this.get(path).forward(x);
  }

  /** @throws ConfigError naming the first layer that is merged already; nothing is merged then */
  mergeAll(options: Omit<MergeWeightOptions, "unmerged"> = {}): void {
    for (const [path, layer] of this.layers)
      if (layer.merged) throw new ConfigError(`${path} is already merged`, { hint: "unmergeAll() first" });
    for (const layer of this.layers.values()) layer.merge(options);
  }

  /** @throws ConfigError naming the first layer that is not merged; nothing is unmerged then */
  unmergeAll(): void {
    for (const [path, layer] of this.layers) if (!layer.merged) throw new ConfigError(`${path} is not merged`);
    for (const layer of this.layers.values()) layer.unmerge();
  }

  enable(): void {
    for (const layer of this.layers.values()) layer.enable();
  }

  disable(): void {
    for (const layer of this.layers.values()) layer.disable();
  }

  get summary(): AdapterSummary {
    const all = [...this.layers.values()].map((layer) => layer.summary);
    const sum = (of: (s: (typeof all)[number]) => number): number => all.reduce((total, s) => total + of(s), 0);
    const [trainable, total] = [sum((s) => s.trainable), sum((s) => s.total)];
    return {
      layers: all.length,
      trainable,
      total,
      ratio: total === 0 ? 0 : trainable / total,
      adapterBytes: sum((s) => s.adapterBytes),
      savedBytes: sum((s) => s.savedBytes),
    };
  }
}
