import { ConfigError, type MethodTable } from "@weft/tensor-core";
import { meantName } from "@weft/tensor-core/names";
import type { FineTuningSettings } from "./settings.js";

/** What a method gets that is not told otherwise, as far as it has such a field. */
const USUAL = { r: 8, lora_alpha: 16, target_modules: "all-linear", task_type: "CAUSAL_LM" } as const;

/** `q_proj,v_proj` as a list; `all-linear` as it is. */
function modulesOf(targets: unknown): unknown {
  if (typeof targets !== "string" || targets === USUAL.target_modules) return targets;
  return /^[\w.,\s-]+$/.test(targets) ? targets.split(",").map((name) => name.trim()) : targets;
}

/**
 * PEFT's config of the adapter that is trained: what the settings say, and the usual values for the rest.
 * @param base name or path of the model, for `base_model_name_or_path`
 * @throws ConfigError kind `unknown-field` for a method that is not in the table
 */
export function adapterConfig(
  { peft }: Pick<FineTuningSettings, "peft">,
  base: string,
  table: MethodTable,
): { readonly peft_type: string; readonly [field: string]: unknown } {
  const type = String(peft["peft_type"] ?? "LORA").toUpperCase();
  const method = table.get(type);
  if (!method) {
    const meant = meantName(type, [...table.keys()]);
    throw new ConfigError(`there is no method ${type}`, {
      kind: "unknown-field",
      hint: meant === undefined ? `one of ${[...table.keys()].join(", ")}` : `did you mean ${meant}?`,
    });
  }
  const usual = Object.entries(USUAL).filter(([name]) => name === "task_type" || Object.hasOwn(method.fields, name));
  // Other methods than LoRA have an alpha of another name.
  const { lora_alpha: alpha, ...rest } = peft;
  const alphaName = Object.hasOwn(method.fields, "lora_alpha")
    ? "lora_alpha"
    : Object.hasOwn(method.fields, "alpha")
      ? "alpha"
      : "lora_alpha";
  return {
    ...Object.fromEntries(usual),
    base_model_name_or_path: base.replace(/^hf:/, ""),
    ...rest,
    ...(alpha !== undefined && { [alphaName]: alpha }),
    ...("target_modules" in peft && { target_modules: modulesOf(peft["target_modules"]) }),
    peft_type: type,
  };
}
