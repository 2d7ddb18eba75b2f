import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { encode } from "@weft/tensor-core";
import { fromCoreDType } from "@weft/io-safetensors";
import { writeFileAtomic, writeSafetensorsFile } from "@weft/io-safetensors/node";
import { configText, stateDict } from "../model/state-dict.js";
import type { PeftModel } from "../model/peft-model.js";

/**
 * Writes an adapter of a model as PEFT does: `adapter_config.json` and `adapter_model.safetensors` in a folder; an adapter that is not called `default`
 * goes into a sub-folder of its name. Each file appears whole or not at all.
 * @param names all adapters if not given
 * @throws IoError
 */
export async function savePretrained(
  peft: PeftModel<never, unknown>,
  folder: string,
  names: readonly string[] = peft.adapterNames,
): Promise<void> {
  for (const name of names) {
    const state = peft.state(name);
    const home = name === "default" ? folder : join(folder, name);
    mkdirSync(home, { recursive: true });
    const tensors = [];
    for (const [key, tensor] of stateDict(state)) {
      const data = encode(await tensor.data(), tensor.dtype);
      tensors.push({ name: key, dtype: fromCoreDType(tensor.dtype), shape: tensor.shape, data });
    }
    await writeSafetensorsFile(join(home, "adapter_model.safetensors"), tensors);
    await writeFileAtomic(join(home, "adapter_config.json"), new TextEncoder().encode(configText(state)));
  }
}
