import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Device } from "@weft/tensor-core";
import type { Outcome } from "../case.js";
import { readJson } from "../peft/files.js";
import { runFluxCase } from "./convert-flux.js";
import { runHashCase } from "./convert-hash.js";
import { runFlattenCase, runSdxlCase } from "./convert-names.js";
import { runPipelineCase } from "./convert-pipeline.js";

/** A case of conversion between dialects; what its `case.json` and files hold tells which kind it is. */
export function runConvertCase(folder: string, device: Device): Promise<Outcome> {
  const meta = readJson<{ readonly [field: string]: unknown }>(folder, "case.json");
  if (meta["sshs_model_hash"]) return runHashCase(folder);
  if (meta["flattened"]) return runFlattenCase(folder);
  if (meta["pairs"]) return runSdxlCase(folder);
  return existsSync(join(folder, "peft_unet.safetensors")) ? runPipelineCase(folder, device) : runFluxCase(folder, device);
}
