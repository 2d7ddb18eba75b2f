import { ADAPTER_METHODS } from "@weft/methods";
import { LoraConfig } from "@weft/adapters-lora";
import { type HookedLayer, type HookedModel, type HookedModule, type LayerHook, PeftModel } from "@weft/registry";
import { type Device, evaluate, forwardBase, type LayerSpec, type Params, type Tensor } from "@weft/tensor-core";
import { numbers } from "../matmul/product.js";

/** A model of one linear layer [size, size] without bias. */
class OneLayer implements HookedModel<Tensor, Tensor> {
  constructor(readonly weights: ReadonlyMap<string, Tensor>) {}

  layers(): HookedLayer[] {
    const weight = this.weights.get("proj.weight")!;
    const layer: LayerSpec = { kind: "linear", shape: weight.shape, dtype: "f32", bias: false };
    return [{ path: "proj", layer, base: { weight } }];
  }

  *namedModules(): Generator<[string, HookedModule]> {
    yield ["proj", { kind: "linear" }];
  }

  withWeights(changes: ReadonlyMap<string, Tensor>): OneLayer {
    return new OneLayer(new Map([...this.weights, ...changes]));
  }

  forward(x: Tensor, hook?: LayerHook): Tensor {
    const [{ path, layer, base }] = this.layers() as [HookedLayer];
    return hook?.(path, layer, base, x) ?? forwardBase(layer, base, x);
  }
}

/** The layer with LoRAs of these ranks, called `a0`, `a1` …, all numbers on the device. */
export async function layerWithLoras(device: Device, size: number, ranks: readonly number[]): Promise<PeftModel<Tensor, Tensor>> {
  const model = new OneLayer(new Map([["proj.weight", device.tensor(numbers(size * size, 3), { shape: [size, size] })]]));
  const peft = new PeftModel(model, ADAPTER_METHODS);
  for (const [i, r] of ranks.entries()) {
    await peft.addAdapter(`a${i}`, new LoraConfig({ r, loraAlpha: r, targetModules: ["proj"] }));
    const A = device.tensor(numbers(r * size, 5 + i), { shape: [r, size] });
    const B = device.tensor(numbers(size * r, 50 + i), { shape: [size, r] });
    const proj: Params = { A, B };
    await evaluate(A, B);
    peft.setParameters({ layers: { proj }, shared: {}, replaced: {}, prompt: {} }, `a${i}`);
  }
  return peft;
}
