import { ConfigError } from "@weft/tensor-core";
import type { Settings } from "./options.js";

/** Settings as plain JSON, by their names. */
export type RecordedSettings = { readonly [name: string]: unknown };

/** What decides the values that a training computes; other settings say what is looked at and written meanwhile. */
const DECIDING = [
  "maxSteps",
  "gradientAccumulationSteps",
  "learningRate",
  "lrSchedulerType",
  "lrSchedulerKwargs",
  "warmupSteps",
  "optim",
  "hyper",
  "maxGradNorm",
  "labelSmoothingFactor",
  "loraplusLrRatio",
  "loraplusLrEmbedding",
  "emaDecay",
  "seed",
] as const satisfies readonly (keyof Settings)[];

/** The settings that a checkpoint records: whoever goes on from it with others does not get the training that was stopped. */
export function recordedSettings(settings: Settings, more: RecordedSettings = {}): RecordedSettings {
  const own = DECIDING.map((name) => [name, settings[name]] as const);
  return asJson({ ...Object.fromEntries(own), objective: settings.objective.name, ...more });
}

/** As a file gives it back: what is undefined is left out. */
const asJson = (value: RecordedSettings): RecordedSettings => JSON.parse(JSON.stringify(value)) as RecordedSettings;

const sorted = (_: string, v: unknown): unknown =>
  typeof v === "object" && v !== null && !Array.isArray(v)
    ? Object.fromEntries(Object.entries(v).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    : v;

/** JSON in which the order of fields does not count. */
const canonical = (value: unknown): string => JSON.stringify(value, sorted) ?? "nothing";

/**
 * @param before of the checkpoint; undefined: it records none (HF's Trainer)
 * @throws ConfigError kind `settings-changed` that names every setting that is another one
 */
export function assertSameSettings(before: RecordedSettings | undefined, now: RecordedSettings): void {
  if (!before) return;
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  const changed = names.filter((name) => canonical(before[name]) !== canonical(now[name]));
  if (changed.length === 0) return;
  const told = changed.map((name) => `${name} is ${canonical(now[name])} and was ${canonical(before[name])}`);
  throw new ConfigError(`the settings are not those of the checkpoint: ${told.join("; ")}`, {
    kind: "settings-changed",
    hint: "give those of the checkpoint, or allowChangedSettings: it then goes on, as another training than the one that was stopped",
  });
}
