// What `scripts/size.mjs` weighs: a page that opens the two files of a PEFT folder, puts the LoRA on a model of its own and runs it, with nothing else.
import { openAdapter } from "@weft/adapter-files";
import { openSafetensors } from "@weft/io-safetensors";
import { createWasmBackend } from "@weft/kernels-wasm";
import { LORA_METHODS } from "@weft/methods";
import { type HookedLayer, type HookedModel, type LayerHook, PeftModel } from "@weft/registry";
import { Device, linear, tanh, type Tensor } from "@weft/tensor-core";

/** Three linear layers with tanh between them: the net `mlp` of the fixtures. */
class Mlp implements HookedModel<Tensor, Tensor> {
  constructor(readonly weights: ReadonlyMap<string, Tensor>) {}

  layers(): HookedLayer[] {
    return ["lin0", "lin1", "head"].map((path) => {
      const [weight, bias] = [this.weights.get(`${path}.weight`)!, this.weights.get(`${path}.bias`)];
      return {
        path,
        layer: { kind: "linear", shape: weight.shape, dtype: weight.dtype, bias: bias !== undefined },
        base: { weight, bias },
      };
    });
  }

  namedModules(): [string, { kind: string }][] {
    return this.layers().map(({ path, layer }) => [path, layer]);
  }

  withWeights(changes: ReadonlyMap<string, Tensor>): Mlp {
    return new Mlp(new Map([...this.weights, ...changes]));
  }

  forward(x: Tensor, hook?: LayerHook): Tensor {
    return this.layers().reduce((input, { path, layer, base }, i) => {
      const given = i === 0 ? input : tanh(input);
      return hook?.(path, layer, base, given) ?? linear(given, base.weight, base.bias);
    }, x);
  }
}

/**
 * @param config `adapter_config.json`
 * @param adapter `adapter_model.safetensors`
 * @param model a file with the weights (`base.…`), an input `x` and what the model with the adapter makes of it, `y_adapter`
 * @returns the largest difference to that
 */
export async function runPage(config: string, adapter: Blob, model: Blob): Promise<number> {
  const device = new Device(await createWasmBackend());
  const file = await openSafetensors(model);
  const read = async (name: string): Promise<Tensor> => {
    const { data, shape } = await file.read(name);
    return device.fromBytes(data, shape, "f32");
  };
  const weights = new Map<string, Tensor>();
  for (const name of file.names()) if (name.startsWith("base.")) weights.set(name.slice("base.".length), await read(name));
  const opened = await openAdapter({ config, weights: await openSafetensors(adapter) }, { methods: LORA_METHODS });
  const peft = await PeftModel.fromPretrained(new Mlp(weights), opened);
  const [got, expected] = [await peft.forward(await read("x")).data(), await (await read("y_adapter")).data()];
  device.dispose();
  return Math.max(...Array.from(got, (y, i) => Math.abs(y - expected[i]!)));
}
