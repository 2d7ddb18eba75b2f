import type { HookedLayer, HookedModel, HookedModule, LayerHook } from "@weft/registry";
import { forwardBase, type Tensor } from "@weft/tensor-core";
import { buildNet, type LayerInfo, type Net } from "./nets.js";

/** One of the little networks, in the form that `PeftModel` takes. */
export class NetModel implements HookedModel<Tensor, Tensor> {
  private readonly net: Net;

  /** @param infos the lines of `case.json`, also of modules that are no layers */
  constructor(
    private readonly name: string,
    private readonly infos: { readonly [layer: string]: LayerInfo },
    readonly weights: ReadonlyMap<string, Tensor>,
  ) {
    this.net = buildNet(name, infos, weights);
  }

  layers(): HookedLayer[] {
    return [...this.net.layers].map(([path, { spec, base }]) => ({ path, layer: spec, base }));
  }

  *namedModules(): Generator<[string, HookedModule]> {
    for (const { path, layer } of this.layers()) yield [path, { kind: layer.kind }];
  }

  withWeights(changes: ReadonlyMap<string, Tensor>): NetModel {
    return new NetModel(this.name, this.infos, new Map([...this.weights, ...changes]));
  }

  forward(x: Tensor, hook?: LayerHook): Tensor {
    return this.net.forward(x, (path, layer, base, input) => {
      // A raw parameter has no forward: the net asks for the parameter itself.
      if (layer.kind === "parameter") return base.weight;
      return hook?.(path, layer, base, input) ?? forwardBase(layer, base, input);
    });
  }
}
