import type { HookedLayer, HookedModel, LayerHook } from "@weft/registry";
import { forwardBase, type LayerSpec, type Tensor } from "@weft/tensor-core";

type Weights = ReadonlyMap<string, Tensor>;

/** Weights as a model of their layers, in the form that `PeftModel` takes. Only one with a single layer can be run. */
export class LayerModel implements HookedModel<Tensor, Tensor> {
  /** @param specOf the layer of a weight, but for whether it has a bias */
  constructor(
    readonly weights: Weights,
    private readonly specOf: (weight: Tensor) => Omit<LayerSpec, "bias">,
  ) {}

  layers(): HookedLayer[] {
    const names = [...this.weights.keys()].filter((name) => name.endsWith(".weight"));
    return names.map((name) => {
      const path = name.slice(0, -".weight".length);
      const [weight, bias] = [this.weights.get(name)!, this.weights.get(`${path}.bias`)];
      return { path, layer: { ...this.specOf(weight), bias: bias !== undefined }, base: { weight, bias } };
    });
  }

  namedModules = (): [string, { kind: string }][] => this.layers().map(({ path, layer: { kind } }) => [path, { kind }]);

  withWeights = (changes: Weights): LayerModel => new LayerModel(new Map([...this.weights, ...changes]), this.specOf);

  forward(x: Tensor, hook?: LayerHook): Tensor {
    const [only] = this.layers();
    const { path, layer, base } = only!;
    return hook?.(path, layer, base, x) ?? forwardBase(layer, base, x);
  }
}
