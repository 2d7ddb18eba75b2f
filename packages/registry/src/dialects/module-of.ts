import { ConfigError, sizeOf } from "@weft/tensor-core";
import type { AdapterModule, AdapterTensor } from "../open-adapter.js";
import { type Algorithm, rankOf } from "./algorithms.js";
import type { DialectKey } from "./dialect.js";

/** What a file holds for one module, before it is known what that means. */
export interface RawModule {
  readonly key: Omit<DialectKey, "parameter">;
  /** By LyCORIS's names. */
  readonly parameters: ReadonlyMap<string, AdapterTensor>;
}

/** PEFT's names of a plain LoRA's parameters. */
export const LORA_KEYS: ReadonlyMap<string, string> = new Map([
  ["lora_down.weight", "lora_A.weight"],
  ["lora_up.weight", "lora_B.weight"],
  ["lora_up.bias", "lora_B.bias"],
  ["dora_scale", "lora_magnitude_vector"],
]);

/** The registry's methods of LyCORIS's algorithms. */
export const METHOD_OF: { readonly [A in Algorithm]: string } = {
  locon: "LOCON",
  loha: "LOHA",
  lokr: "LOKR",
  ia3: "LYCORIS_IA3",
  full: "FULL",
  norm: "NORM",
  "diag-oft": "DIAG_OFT",
  boft: "LYCORIS_BOFT",
  glora: "LYCORIS_GLORA",
  tlora: "TLORA",
};

/**
 * A module with the method that its parameters are for, and the numbers that hold for it alone. LoCon without a Tucker core, with magnitudes of
 * output rows if any, is PEFT's LoRA: its tensors get PEFT's names and shapes.
 * @param alpha as the file has it; undefined: the scale is 1
 * @throws ConfigError kind `config-schema` for an alpha that is no number
 */
export function moduleOf({ key, parameters }: RawModule, algorithm: Algorithm, alpha: number | undefined): AdapterModule {
  if (alpha !== undefined && !Number.isFinite(alpha))
    throw new ConfigError(`${key.module}: alpha is ${alpha}, expected a finite number`, {
      kind: "config-schema",
      tensor: `${key.module}.alpha`,
    });
  const { component, path, flat, module: name } = key;
  const place = { path, depth: 0, component, flat, name, algorithm };
  const tensors = new Map([...parameters].filter(([parameter]) => parameter !== "alpha"));
  const rank = rankOf(algorithm, parameters);
  if (algorithm !== "locon" || !isPlainLora(tensors))
    return {
      ...place,
      method: METHOD_OF[algorithm],
      config: { dialect: "lycoris", ...(rank !== undefined && { r: rank }), alpha: alpha ?? null },
      tensors,
    };
  const r = rank!;
  const useDora = tensors.has("dora_scale");
  const named = new Map([...tensors].map(([parameter, tensor]) => [LORA_KEYS.get(parameter)!, loraTensor(parameter, tensor, tensors)]));
  return { ...place, method: "LORA", config: { r, loraAlpha: alpha ?? r, useDora, loraBias: tensors.has("lora_up.bias") }, tensors: named };
}

function isPlainLora(tensors: ReadonlyMap<string, AdapterTensor>): boolean {
  const [up, magnitude] = [tensors.get("lora_up.weight")!, tensors.get("dora_scale")];
  if (![...tensors.keys()].every((parameter) => LORA_KEYS.has(parameter))) return false;
  return !magnitude || (magnitude.shape[0] === up.shape[0] && sizeOf(magnitude.shape) === up.shape[0]);
}

/** The same elements in PEFT's shape: an up factor [out, r] of a convolution is [out, r, 1, 1], a magnitude [out, 1] is [out]. */
function loraTensor(parameter: string, tensor: AdapterTensor, tensors: ReadonlyMap<string, AdapterTensor>): AdapterTensor {
  const kernel = tensors.get("lora_down.weight")!.shape.slice(2);
  if (parameter === "lora_up.weight") return { ...tensor, shape: [...tensor.shape.slice(0, 2), ...kernel.map(() => 1)] };
  if (parameter !== "dora_scale") return tensor;
  const out = sizeOf(tensor.shape);
  return { ...tensor, shape: kernel.length > 0 ? [1, out, ...kernel.map(() => 1)] : [out] };
}
