import type { DefaultTargets } from "@weft/tensor-core";
import type { TargetConfig } from "./targets.js";
import { withValues } from "./with-values.js";
import { LORA_DEFAULT_TARGETS } from "./default-targets.js";
import { ownEntry } from "../own-entry.js";

/**
 * A config with the modules that PEFT adapts by default for a model type, where it names none itself.
 * @param defaults of the config's method: `methods.get(peftType)?.method?.defaultTargets`
 */
export function withDefaultTargets<C extends TargetConfig>(
  defaults: DefaultTargets | undefined,
  config: C,
  modelType: string | undefined,
): C {
  const named = hasValue(config.targetModules) || hasValue(config.targetParameters);
  const targetModules = named ? undefined : targetsOf(defaults, modelType ?? "");
  if (targetModules === undefined) return config;
  const further = Object.entries(defaults?.fields ?? {}).filter(([field]) => !hasValue(config[field as keyof C]));
  return withValues(config, {
    targetModules,
    ...Object.fromEntries(further.map(([field, models]) => [field, ownEntry(models, modelType ?? "") ?? []])),
  });
}

function targetsOf(defaults: DefaultTargets | undefined, modelType: string): string | readonly string[] | undefined {
  const { models = {}, others } = defaults ?? {};
  return ownEntry(models, modelType) ?? (others === undefined ? LORA_DEFAULT_TARGETS.get(modelType) : (others ?? undefined));
}

const hasValue = (value: unknown): boolean => value !== null && value !== undefined;
