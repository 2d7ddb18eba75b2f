import { DEFAULT_SETTINGS, type FineTuningSettings } from "@weft/fine-tuning";
import { camel, ConfigError } from "@weft/tensor-core";
import * as v from "valibot";
import type { Config } from "../../protocol/values.js";

const positive = v.pipe(v.number(), v.gtValue(0));
const count = v.pipe(v.number(), v.integer(), v.minValue(1));

/** The settings that the studio sets, under the names of `weft train`'s file. */
const SETTINGS = v.strictObject({
  peft: v.optional(v.record(v.string(), v.unknown())),
  learning_rate: v.optional(positive),
  max_steps: v.optional(count),
  per_device_train_batch_size: v.optional(count),
  max_length: v.optional(count),
  packing: v.optional(v.boolean()),
  lr_scheduler_type: v.optional(v.string()),
  warmup_steps: v.optional(v.pipe(v.number(), v.minValue(0))),
  seed: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
  sample_prompts: v.optional(v.array(v.string())),
  sample_steps: v.optional(count),
  save_steps: v.optional(count),
});

/** What a config means. @throws ConfigError naming a field that there is not, or a value that is none of its */
export function settingsOf(config: Config): FineTuningSettings & { readonly sampleSteps?: number } {
  const read = v.safeParse(SETTINGS, config);
  if (!read.success) {
    const [issue] = read.issues;
    throw new ConfigError(`${v.getDotPath(issue) ?? "config"}: ${issue.message}`, { kind: "unknown-field", hint: "mend this setting" });
  }
  const named = Object.fromEntries(Object.entries(read.output).map(([name, value]) => [camel(name), value]));
  return { ...DEFAULT_SETTINGS, ...named };
}
