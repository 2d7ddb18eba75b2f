import { add, forwardBase, type LayerSpec, tanh, type Tensor } from "@weft/tensor-core";
import type { HookedLayer, HookedModel, LayerHook } from "@weft/registry";

/** The small networks of make_variants.py and make_starts.py: linear layers in a row, tanh between them; `skip` runs beside `lin0`. */
export class Mlp implements HookedModel<Tensor, Tensor> {
  constructor(readonly weights: ReadonlyMap<string, Tensor>) {}
  layers(): HookedLayer[] {
    return ["lin0", "skip", "lin1", "head"].flatMap((path) => {
      const [weight, bias] = [this.weights.get(`${path}.weight`), this.weights.get(`${path}.bias`)];
      if (!weight) return [];
      const layer: LayerSpec = { kind: "linear", shape: weight.shape, dtype: weight.dtype, bias: bias !== undefined };
      return [{ path, layer, base: { weight, bias } }];
    });
  }
  *namedModules(): Generator<[string, { kind: "linear" }]> {
    for (const { path } of this.layers()) yield [path, { kind: "linear" }];
  }
  withWeights(changes: ReadonlyMap<string, Tensor>): Mlp {
    return new Mlp(new Map([...this.weights, ...changes]));
  }
  forward(x: Tensor, hook?: LayerHook): Tensor {
    const run = ({ path, layer, base }: HookedLayer, input: Tensor): Tensor =>
      hook?.(path, layer, base, input) ?? forwardBase(layer, base, input);
    const layers = this.layers();
    const [first, skip] = [layers[0]!, layers.find(({ path }) => path === "skip")];
    const y = skip ? add(run(first, x), run(skip, x)) : run(first, x);
    return layers.filter((layer) => layer !== first && layer !== skip).reduce((h, layer) => run(layer, tanh(h)), y);
  }
}
