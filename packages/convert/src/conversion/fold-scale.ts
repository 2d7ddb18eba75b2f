import { type ConvertModule, isWholeLokr } from "./convert-module.js";
import { scaled } from "./lazy-tensor.js";

/** Factors of two do not round, short of the ends of a dtype's range. */
const isPowerOfTwo = (x: number): boolean => x > 0 && Number.isInteger(Math.log2(x));

/** What working a scale into a factor rounds, if anything. */
export const roundingOf = (scale: number): { readonly rounded?: string } =>
  scale === 0 || isPowerOfTwo(Math.abs(scale)) ? {} : { rounded: `its scale ${scale} is worked into a factor, which rounds` };

/** Parameters that the scale may be worked into, of each method. */
const CARRIERS = ["hada_w1_a", "lokr_w1", "lokr_w1_a"];

/**
 * The scale worked into the factors: of a LoRA into both, balanced by powers of two, as diffusers does when it reads Flux's files; else into one.
 * @see diffusers `loaders/lora_conversion_utils.py` _convert_to_ai_toolkit
 */
export function withFoldedScale(module: ConvertModule): ConvertModule {
  const { scale, method, parameters, rank } = module;
  if (rank === undefined || scale === 1) return module;
  const folded = new Map(parameters);
  if (method === "LOCON") {
    let [down, up] = [scale, 1];
    if (down > 0) while (down * 2 < up) [down, up] = [down * 2, up / 2];
    folded.set("lora_down.weight", scaled(parameters.get("lora_down.weight")!, down));
    folded.set("lora_up.weight", scaled(parameters.get("lora_up.weight")!, up));
  } else {
    const carrier = CARRIERS.find((name) => parameters.has(name));
    if (carrier === undefined) return module;
    folded.set(carrier, scaled(parameters.get(carrier)!, scale));
  }
  return { ...module, parameters: folded, scale: 1, ...roundingOf(scale) };
}

/** A LoKr with two whole halves has no scale in LyCORIS's files, whatever its alpha: another one is worked into a half. */
export function withoutWholeScale(module: ConvertModule): ConvertModule {
  return module.method === "LOKR" && isWholeLokr(module.parameters) ? withFoldedScale(module) : module;
}
