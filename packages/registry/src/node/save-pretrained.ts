import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomic, writeSafetensorsFile } from "@weft/io-safetensors/node";
import { adapterFiles, type SaveOptions } from "../model/adapter-files.js";
import type { PeftModel } from "../model/peft-model.js";

/**
 * Writes the adapters of a model as PEFT does: `adapter_config.json`, `adapter_model.safetensors` and a model card in a folder; an adapter that is not
 * called `default` goes into a sub-folder of its name. Each file appears whole or not at all; a README.md that is there is kept.
 * @throws IoError; CancelledError
 */
export async function savePretrained(peft: PeftModel<never, unknown>, folder: string, options: SaveOptions = {}): Promise<void> {
  const text = new TextEncoder();
  for await (const { folder: own, config, tensors, card } of adapterFiles(peft, options)) {
    const home = join(folder, own);
    mkdirSync(home, { recursive: true });
    await writeSafetensorsFile(join(home, "adapter_model.safetensors"), tensors);
    await writeFileAtomic(join(home, "adapter_config.json"), text.encode(config));
    if (!existsSync(join(home, "README.md"))) await writeFileAtomic(join(home, "README.md"), text.encode(card));
  }
}
