import { CapabilityError, ConfigError } from "@weft/tensor-core";
import { nearestNames } from "@weft/tensor-core/names";
import { convertModules } from "../conversion/convert-modules.js";
import type { ConvertModule } from "../conversion/convert-module.js";

import type { OpenedAdapter } from "@weft/adapter-files";
import { readFactors } from "./lora-module.js";

/** A LoRA's factors of one module as plain arrays, row-major: ΔW = scale · B·A, y = W·x + scale · B·(A·x). */
export interface LoraFactors {
  /** [rank, inFeatures]; of a convolution [rank, in · kernel]. */
  readonly A: Float32Array;
  /** [outFeatures, rank]. */
  readonly B: Float32Array;
  /** lora_alpha / r, lora_alpha / √r for rsLoRA, with the values that hold for this module. */
  readonly scale: number;
  readonly rank: number;
  readonly inFeatures: number;
  readonly outFeatures: number;
}

/**
 * The factors of a module, of a LoRA of any dialect: for programs that run their own arithmetic.
 * @param path of the module in the model (`model.layers.0.self_attn.q_proj`), or its name in the file
 * @throws ConfigError kind `no-such-module`; CapabilityError kind `not-a-lora` where there is more to the change than two factors (DoRA, biases, LoHa …)
 */
export async function loraFactors(adapter: OpenedAdapter, path: string): Promise<LoraFactors> {
  const { modules, losses } = convertModules(adapter);
  const module = modules.find((one) => one.path === path || one.label === path);
  if (!module) {
    const lost = losses.find((loss) => loss.module === path);
    if (lost) throw notALora(path, lost.message);
    const nearest = nearestNames(
      path,
      modules.map((one) => one.path),
    );
    throw new ConfigError(`the adapter has no module ${path}`, {
      kind: "no-such-module",
      tensor: path,
      ...(nearest.length > 0 && { hint: `it has ${nearest.join(", ")}` }),
    });
  }
  const more = [...module.parameters.keys()].find((name) => name !== "lora_down.weight" && name !== "lora_up.weight");
  if (module.method !== "LOCON" || more !== undefined)
    throw notALora(path, module.method === "LOCON" ? `it has ${more} besides its factors` : `its method is ${module.method}`);
  return factorsOf(module);
}

async function factorsOf(module: ConvertModule): Promise<LoraFactors> {
  const { up, down, rank, out, inputs } = await readFactors(module);
  return { A: down, B: up, scale: module.scale, rank, inFeatures: inputs, outFeatures: out };
}

const notALora = (path: string, why: string): CapabilityError =>
  new CapabilityError(`${path}: ${why}`, {
    kind: "not-a-lora",
    tensor: path,
    hint: "attach the adapter with PeftModel, or merge it with mergeWeight: they know every method",
  });
