import { dirname, join } from "node:path";
import { loadPretrained } from "@weft/models/node";
import { BITSANDBYTES, type QuantizationConfig } from "@weft/quant-nf4-awq";
import type { Device } from "@weft/tensor-core";
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
  const { quantization_config: config } = readJson<{ quantization_config: QuantizationConfig }>(path, "config.json");
  const tensors = await Fixture.open(join(path, "model.safetensors"));
  for (const name of tensors.names().filter((n) => n.endsWith(".weight"))) {
    const module = tensors.below(name.slice(0, -"weight".length));
    if (BITSANDBYTES.matches(module))
      check.exact("quantization_config", BITSANDBYTES.config!(BITSANDBYTES.read(module, { path: name }).format), config);
  }
  const model = await loadPretrained(path, { device });
  const io = await readTensors(join(folder, file), device);
  await check.tensors("logits", model.forward({ inputIds: io.get("input_ids")! }).logits, io.get("logits")!);
  return check;
}
