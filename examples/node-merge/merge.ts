// Merges a PEFT adapter into a checkpoint with the library: BASE ADAPTER OUT [SCALE].
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { toCoreDType } from "@weft/io-safetensors";
import { openWeights, writeSafetensors } from "@weft/io-safetensors/node";
import { createWasmBackend } from "@weft/kernels-wasm";
import { readTensor } from "@weft/adapter-files";
import { attachAdapter } from "@weft/registry";
import { openAdapterFolder } from "@weft/adapter-files/node";
import { cast, Device, mergeBias, mergeWeight, type Tensor } from "@weft/tensor-core";

const [baseFolder, adapterFolder, out, scale = "1"] = process.argv.slice(2);
if (!baseFolder || !adapterFolder || !out) throw new Error("usage: merge.ts BASE ADAPTER OUT [SCALE]");

const device = new Device(await createWasmBackend());
const base = await openWeights(baseFolder); // headers only
const adapter = await openAdapterFolder(adapterFolder, { methods: ADAPTER_METHODS });
// Not everything is a change of one tensor of the base; weft merge does the first of these, and refuses the others too.
const { initLoraWeights, aloraInvocationTokens } = adapter.config.values as { initLoraWeights?: unknown; aloraInvocationTokens?: unknown };
if (adapter.trainableTokens.size > 0) throw new Error("this adapter has trained token rows: use weft merge");
if (/^(pissa|olora|corda|lora_ga|loftq)/.test(String(initLoraWeights)))
  throw new Error(`init_lora_weights "${initLoraWeights}" changed the base before training: convert the adapter to plain LoRA first`);
if (aloraInvocationTokens) throw new Error("an activated LoRA acts on some tokens only: it cannot be merged");

// Matches every tensor of the adapter to the base, and throws with the nearest names if one does not fit.
const attached = await attachAdapter(
  adapter,
  {
    names: () => base.names(),
    tensor(name) {
      if (!base.has(name)) return undefined;
      const { shape, dtype } = base.info(name);
      const core = toCoreDType(dtype);
      return core && { shape, dtype: core };
    },
  },
  { scale: Number(scale) },
);

const lost = [...attached.layers.keys(), ...attached.replaced.keys()].filter((name) => !base.has(name) && !base.has(`${name}.weight`));
if (lost.length > 0) throw new Error(`the base has no tensor of its own for ${lost.join(", ")} (tied embeddings?): use weft merge`);

let changed = 0;

/** The bytes of one tensor, read and merged only when the writer asks for them, so that one tensor is in memory at a time. */
async function* bytes(name: string): AsyncIterable<Uint8Array> {
  const layer = attached.layers.get(name) ?? attached.layers.get(name.replace(/\.(weight|bias)$/, ""));
  const replaced = attached.replaced.get(name); // modules_to_save, saved embeddings
  if (!layer && !replaced) {
    yield (await base.read(name)).data;
    return;
  }
  const before = await readTensor(base, name, { device });
  let after: Tensor = replaced ? cast(replaced, before.dtype) : before;
  if (layer) {
    const { method, params, context } = layer;
    after = name.endsWith(".bias") ? mergeBias(method, after, params, context)! : mergeWeight(method, after, params, context);
  }
  if (after !== before) changed++;
  yield await device.bytes(after);
  for (const tensor of [before, after]) tensor.dispose(); // the collector does not see how large they are
}

const names = [...base.names()];
await writeSafetensors(
  out,
  names.map((name) => ({ name, dtype: base.info(name).dtype, shape: base.info(name).shape, data: bytes(name) })),
);
await copyFile(join(baseFolder, "config.json"), join(out, "config.json"));
console.log(`${changed} of ${names.length} tensors changed; written to ${out}`);

await Promise.all([base.close(), adapter.weights.close()]);
device.dispose();
