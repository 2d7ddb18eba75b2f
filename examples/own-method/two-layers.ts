import type { HookedLayer, HookedModel, HookedModule, LayerHook } from "@weft/registry";
import { forwardBase, tensor, type Tensor } from "@weft/tensor-core";

/** Values that differ from place to place. */
export const wave = (shape: number[], phase = 0): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i + phase)),
    { shape },
  );

/** Two layers, with no more than a model has to offer. */
export class TwoLayers implements HookedModel<Tensor, Tensor> {
  constructor(
    readonly weights: ReadonlyMap<string, Tensor> = new Map([
      ["first.weight", wave([5, 4])],
      ["first.bias", wave([5], 1)],
      ["second.weight", wave([3, 5], 2)],
    ]),
  ) {}
  layers(): HookedLayer[] {
    return ["first", "second"].map((path) => {
      const [weight, bias] = [this.weights.get(`${path}.weight`)!, this.weights.get(`${path}.bias`)];
      return { path, layer: { kind: "linear", shape: weight.shape, dtype: "f32", bias: bias !== undefined }, base: { weight, bias } };
    });
  }
  namedModules(): Iterable<[string, HookedModule]> {
    return this.layers().map(({ path }) => [path, { kind: "linear" }]);
  }
  withWeights(changes: ReadonlyMap<string, Tensor>): TwoLayers {
    return new TwoLayers(new Map([...this.weights, ...changes]));
  }
  forward(x: Tensor, hook?: LayerHook): Tensor {
    return this.layers().reduce((h, { path, layer, base }) => hook?.(path, layer, base, h) ?? forwardBase(layer, base, h), x);
  }
}
