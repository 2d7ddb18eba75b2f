import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { openWeights } from "@weft/io-safetensors/node";
import { createWasmBackend } from "@weft/kernels-wasm";
import { type LayerHook, LlamaForCausalLM } from "@weft/models";
import { attachAdapter } from "@weft/registry";
import { openAdapterFolder } from "@weft/adapter-files/node";
import { compile, Device, forwardAdapters, type Tensor } from "@weft/tensor-core";

/** Loads a model folder onto a device. */
async function load(folder: string, device: Device): Promise<LlamaForCausalLM> {
  const source = await openWeights(folder);
  try {
    return await LlamaForCausalLM.load(JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as Record<string, unknown>, source, {
      device,
    });
  } finally {
    await source.close();
  }
}

const [base, adapterFolder, merged] = process.argv.slice(2) as [string, string, string];
const device = new Device(await createWasmBackend());
const ids = device.tensor(Int32Array.of(5, 6, 7, 8, 9, 10), { shape: [1, 6] });

const model = await load(base, device);
const adapter = await openAdapterFolder(adapterFolder, { methods: ADAPTER_METHODS });
const layers = new Map(model.layers().map(({ path, layer }) => [path, layer]));
const attached = await attachAdapter(adapter, {
  layer: (path) => layers.get(path),
  tensor: (name) => model.weights.get(name),
  names: () => model.weights.keys(),
});
const hook: LayerHook = (path, layer, below, x) => {
  const a = attached.layers.get(path);
  return a && forwardAdapters(layer, below, [a], x);
};

/** Logits at the last position. */
async function logits(m: LlamaForCausalLM, h?: LayerHook): Promise<Float32Array> {
  const forward = compile((inputIds: Tensor) => m.forward({ inputIds }, h).logits, { device });
  const all = (await (await forward(ids)).data()) as Float32Array;
  return all.subarray(all.length - m.config.vocabSize);
}

const before = await logits(model);
const adapted = await logits(model.withWeights(attached.replaced), hook);
const after = await logits(await load(merged, device));
const gap = (a: Float32Array, b: Float32Array): number => a.reduce((worst, v, i) => Math.max(worst, Math.abs(v - b[i]!)), 0);
const best = (values: Float32Array): string => {
  let at = 0;
  values.forEach((v, i) => (at = v > values[at]! ? i : at));
  return `token ${String(at).padStart(2)} (logit ${values[at]!.toFixed(4)})`;
};
process.stdout.write(`base model          next token: ${best(before)}\n`);
process.stdout.write(`base + adapter      next token: ${best(adapted)}   moved by up to ${gap(adapted, before).toFixed(3)}\n`);
process.stdout.write(
  `merged checkpoint   next token: ${best(after)}   differs from base + adapter by ${gap(after, adapted).toExponential(1)}\n`,
);
await adapter.weights.close();
device.dispose();
if (!(gap(adapted, before) > 0.01) || !(gap(after, adapted) < 1e-4)) {
  process.stderr.write("the merged model does not compute what base and adapter do\n");
  process.exitCode = 1;
}
