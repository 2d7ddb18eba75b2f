import { DEFAULT_SETTINGS, expectedOf, type FineTuningSettings, TRAIN_FIELDS, type TrainField } from "@weft/fine-tuning";
import { camel, ConfigError } from "@weft/tensor-core";
import { meantName } from "@weft/tensor-core/names";
import { STUDIO_FIELDS } from "../../protocol/fields.js";
import type { Config } from "../../protocol/values.js";

const PEFT = "peft.";

/** What a config means. @throws ConfigError naming a field that there is not, or a value that is none of its */
export function settingsOf(config: Config): FineTuningSettings {
  const { peft = {}, ...values } = config;
  if (typeof peft !== "object" || peft === null || Array.isArray(peft)) throw wrong("peft", peft, "the fields of PEFT's config");
  for (const [name, value] of Object.entries(values)) check(fieldOf(name), value);
  for (const [name, value] of Object.entries(peft)) {
    const field = TRAIN_FIELDS.find((one) => one.name === `${PEFT}${name}`);
    // What is no number has more forms in PEFT's config, and is checked with the method's other fields.
    if (field && field.kind !== "text") check(field, value);
  }
  const named = Object.fromEntries(Object.entries(values).map(([name, value]) => [camel(name), value]));
  return { ...DEFAULT_SETTINGS, ...named, peft: { ...peft } };
}

/** @throws ConfigError kind `unknown-field` */
function fieldOf(name: string): TrainField {
  const field = STUDIO_FIELDS.find((one) => one.name === name && !name.startsWith(PEFT));
  if (field) return field;
  const meant = meantName(
    name,
    STUDIO_FIELDS.map((one) => one.name),
  );
  throw new ConfigError(`there is no setting ${name}`, {
    kind: "unknown-field",
    hint: meant === undefined ? "mend this setting" : `did you mean ${meant}?`,
  });
}

function check(field: TrainField, value: unknown): void {
  const expected = expectedOf(field, value);
  if (expected !== undefined) throw wrong(field.name, value, expected);
}

const wrong = (name: string, value: unknown, expected: string): ConfigError =>
  new ConfigError(`${name} is ${JSON.stringify(value)}, expected ${expected}`, { kind: "training-option", hint: "mend this setting" });
