import { dirname, join } from "node:path";
import { LlamaForCausalLM, readLlamaConfig, type Weights } from "@weft/models";
import { BITSANDBYTES, type QuantizationConfig, toPacked } from "@weft/quant-nf4-awq";
import { dequantize, type Device, type Tensor } from "@weft/tensor-core";
import { Comparison } from "../case.js";
import { readJson, readTensors } from "../peft/files.js";
import { Fixture } from "./fixture.js";

/** A whole model as transformers wrote it with bitsandbytes: its config, every quantised weight, logits. */
export async function bnbModelCase(
  { folder, file }: { readonly folder: string; readonly file: string },
  device: Device,
): Promise<Comparison> {
  const check = new Comparison(1e-3);
  const path = join(folder, dirname(file));
  const config = readJson<{ quantization_config: QuantizationConfig }>(path, "config.json");
  const model = await Fixture.open(join(path, "model.safetensors"));
  const weights = new Map<string, Tensor>();
  for (const name of model.names().filter((n) => n.endsWith(".weight"))) {
    const module = model.below(name.slice(0, -"weight".length));
    if (!BITSANDBYTES.matches(module)) {
      weights.set(name, model.tensor(name, device));
      continue;
    }
    const weight = BITSANDBYTES.read(module, { path: name.slice(0, -".weight".length) });
    weights.set(name, dequantize(toPacked({ ...weight, dtype: "f32" }, device)));
    check.exact("quantization_config", BITSANDBYTES.config!(weight.format), config.quantization_config);
  }
  const llama = new LlamaForCausalLM(readLlamaConfig(config), weights as Weights, { device });
  const io = await readTensors(join(folder, file), device);
  const { logits } = llama.forward({ inputIds: io.get("input_ids")! });
  await check.tensors("logits", logits, io.get("logits")!);
  return check;
}
