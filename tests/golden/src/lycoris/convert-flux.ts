import { join } from "node:path";
import { openWeights } from "@weft/io-safetensors/node";
import { readTensor } from "@weft/adapter-files";
import { convertAdapter, verifyConversion } from "@weft/convert";
import { type Device, matmul, mul, type Tensor } from "@weft/tensor-core";
import { Comparison, type Outcome, type Tolerance } from "../case.js";
import { readJson } from "../peft/files.js";
import { adapterAt, reopened } from "./convert-files.js";

/** Flux: fused weights cut and put together. */
export async function runFluxCase(folder: string, device: Device): Promise<Outcome> {
  const check = new Comparison(readJson<{ tolerance: Tolerance }>(folder, "case.json").tolerance);
  const kohya = await adapterAt(join(folder, "kohya.safetensors"));
  const want = await openWeights(join(folder, "diffusers.safetensors"));
  const names = [...want.names()].toSorted();

  const { files: folded } = await convertAdapter(kohya, { to: "diffusers", foldAlpha: true, allowLoss: true });
  const got = (await reopened(folded[0]!)).weights;
  check.exact("keys", [...got.names()].toSorted(), names);
  for (const name of names) {
    check.exact(`${name}: dtype`, got.info(name).dtype, want.info(name).dtype);
    await check.tensors(name, await readTensor(got, name, { device }), await readTensor(want, name, { device }));
  }

  const { files: kept } = await convertAdapter(kohya, { to: "diffusers" });
  const adapter = await reopened(kept[0]!);
  for (const { path, tensors, config } of adapter.modules.values()) {
    const scale = (config as { loraAlpha: number; r: number }).loraAlpha / (config as { r: number }).r;
    const [a, b] = [tensors.get("lora_A.weight")!.name, tensors.get("lora_B.weight")!.name];
    const product = async (source: typeof want, factor: number): Promise<Tensor> =>
      mul(matmul(await readTensor(source, b, { device }), await readTensor(source, a, { device })), factor);
    await check.tensors(`${path}: ΔW with alpha`, await product(adapter.weights, scale), await product(want, 1));
  }
  const back = await convertAdapter(adapter, { to: "kohya" });
  const written = await Promise.all(back.files.map(async (file) => ({ file, adapter: await reopened(file) })));
  check.exact("diffusers → kohya: keys", [...back.files[0]!.tensors.keys()].toSorted(), [...kohya.weights.names()].toSorted());
  const { error } = await verifyConversion(adapter, written, { device });
  check.exact("diffusers → kohya: ΔW", error < 1e-5, true);
  return check.outcome();
}
