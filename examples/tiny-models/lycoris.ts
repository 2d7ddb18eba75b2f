import { statSync } from "node:fs";
import { join } from "node:path";
import { type OpenedAdapter, openAdapter } from "@weft/adapter-files";
import { openAdapterFolder } from "@weft/adapter-files/node";
import { placesOf, writePlaces } from "@weft/checkpoint/node";
import { convertAdapter, type TargetName, verifyConversion } from "@weft/convert";
import { openWeights, type TensorData, writeSafetensorsFile } from "@weft/io-safetensors/node";
import { ADAPTER_METHODS } from "@weft/methods";
import type { Tell } from "./setup.js";

const methods = ADAPTER_METHODS;

/** Opens an adapter: a folder as PEFT writes it, or a file of any program that makes images. */
const open = async (path: string): Promise<OpenedAdapter> =>
  statSync(path).isDirectory() ? openAdapterFolder(path, { methods }) : openAdapter({ weights: await openWeights(path) }, { methods });

/** Writes an adapter as another program reads it, and compares every change of a weight on both sides. */
export async function exportAdapter(input: string, out: string, to: TargetName): Promise<{ names: string[]; error: number }> {
  const adapter = await open(input);
  const { files } = await convertAdapter(adapter, { to });
  await writePlaces(placesOf(files, out), out, {}, async () => undefined);
  const written = await open(out);
  const { error } = await verifyConversion(adapter, [{ file: files[0]!, adapter: written }]);
  const names = [...written.weights.names()];
  await Promise.all([adapter.weights.close(), written.weights.close()]);
  return { names, error };
}

/**
 * A LoKr of Stable Diffusion's UNet, under the names that LyCORIS gives it, becomes one that PEFT opens. @param folder for both
 */
export async function lycoris(folder: string, tell: Tell): Promise<{ names: string[]; error: number }> {
  const input = join(folder, "style.safetensors");
  await writeSafetensorsFile(input, lokr("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_", ["q", "k", "v"]));
  const converted = await exportAdapter(input, join(folder, "peft"), "peft");
  for (const name of converted.names) tell(name);
  tell(`the largest relative difference of a change: ${converted.error}`);
  return converted;
}

/** A tensor of f32 in which the value at place i is `value(i)`. */
function tensor(name: string, shape: number[], value: (i: number) => number): TensorData {
  const values = Float32Array.from({ length: shape.reduce((size, n) => size * n, 1) }, (_, i) => value(i));
  return { name, dtype: "F32", shape, data: new Uint8Array(values.buffer) };
}

/** Factors of Kronecker products: ΔW = alpha / rank · w1 ⊗ (w2_a · w2_b), [320, 320] each. */
function* lokr(prefix: string, layers: readonly string[]): Generator<TensorData> {
  for (const [place, layer] of layers.entries()) {
    const wave = (i: number): number => Math.sin(0.7 * i + place) / 8;
    yield tensor(`${prefix}${layer}.lokr_w1`, [16, 16], wave);
    yield tensor(`${prefix}${layer}.lokr_w2_a`, [20, 4], wave);
    yield tensor(`${prefix}${layer}.lokr_w2_b`, [4, 20], wave);
    yield tensor(`${prefix}${layer}.alpha`, [], () => 4);
  }
}
