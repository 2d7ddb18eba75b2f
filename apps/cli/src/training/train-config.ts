import { readSmallFile } from "@weft/io-safetensors/node";
import { camel, ConfigError } from "@weft/tensor-core";
import { meantName } from "@weft/tensor-core/names";
import type { EncoderTask } from "@weft/datasets";
import { DEFAULT_SETTINGS, type FineTuningSettings, type ObjectiveName } from "@weft/fine-tuning";
import { expectedOf, TRAIN_FIELDS, type TrainField } from "@weft/fine-tuning/fields";
import { parseDocument } from "yaml";
import { UsageError } from "../failure.js";
import { byteSize } from "../program/values.js";
import type { DeviceName } from "../models/device-names.js";
import { attributeOf } from "../program/train-fields.js";

/** The largest file of settings that is read. */
const MAX_CONFIG_BYTES = 1 << 20;

/** What the command line gives, by commander's names. */
export interface TrainFlags {
  readonly init?: boolean;
  readonly resume?: boolean;
  readonly allowChangedSettings?: boolean;
  readonly verifyResume?: boolean;
  readonly [flag: string]: unknown;
}

/** All settings of a training: those of `@weft/fine-tuning`, and where its files lie. */
export interface TrainConfig extends Omit<FineTuningSettings, "objective"> {
  readonly objective: ObjectiveName | EncoderTask;
  /** Of contrastive data: anchors have negatives of their own. The data tell. */
  readonly hardNegatives?: boolean;
  readonly modelNameOrPath: string;
  readonly trainFile: string;
  readonly outputDir: string;
  readonly validationFile?: string;
  readonly saveTotalLimit?: number;
  /** Nothing is fetched: models and data of the hub are in its cache. */
  readonly offline?: boolean;
  readonly loggingDir?: string;
  readonly reportFile?: string;
  readonly device: DeviceName;
}

/** Those of a language model. */
export type TextConfig = TrainConfig & FineTuningSettings;

const PEFT = "peft.";

/** What must be there, under its flag. */
const NEEDED = ["model_name_or_path", "train_file", "output_dir"];

type Values = { readonly [name: string]: unknown };

/** The settings of a file, if there is one, and of flags, which win. @throws UsageError, ConfigError naming the field, FormatError, IoError */
export function readTrainConfig(file: string | undefined, flags: TrainFlags): TrainConfig {
  const { peft = {}, ...values } = file === undefined ? {} : readFields(file);
  const given = TRAIN_FIELDS.flatMap(({ name, flag }) => {
    const value = flag === undefined ? undefined : flags[attributeOf(flag)];
    return value === undefined ? [] : [[name, value] as const];
  });
  const ofPeft = given.filter(([name]) => name.startsWith(PEFT)).map(([name, value]) => [name.slice(PEFT.length), value]);
  const all: Values = { ...values, ...Object.fromEntries(given.filter(([name]) => !name.startsWith(PEFT))) };
  const missing = TRAIN_FIELDS.find(({ name }) => NEEDED.includes(name) && all[name] === undefined);
  if (missing) throw new UsageError(`${missing.name} is not given`, `${missing.flag}, or ${missing.name} in the file of settings`);
  if (all["validation_file"] !== undefined && all["validation_share"] !== undefined)
    throw new UsageError("both data and a share of them are given for evaluation", "leave --eval-data or --eval-share out");
  const settings = Object.fromEntries(
    Object.entries(all).map(([name, value]) => [camel(name), kindOf(name) === "bytes" ? byteSize(String(value)) : value]),
  );
  return {
    ...DEFAULT_SETTINGS,
    device: "auto",
    ...settings,
    peft: { ...(peft as object), ...Object.fromEntries(ofPeft) },
  } as unknown as TrainConfig;
}

const kindOf = (name: string): TrainField["kind"] | undefined => TRAIN_FIELDS.find((field) => field.name === name)?.kind;

/** The fields of a file, each of the kind that it must be. */
function readFields(file: string): Values {
  const document = parseDocument(readText(file), { uniqueKeys: true, prettyErrors: true });
  const [error] = [...document.errors, ...document.warnings];
  if (error) throw wrong(file, error.message);
  let values: unknown;
  try {
    values = document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw wrong(file, cause instanceof Error ? cause.message : String(cause));
  }
  if (!isMap(values)) throw wrong(file, "expected fields, as learning_rate: 2e-4");
  const names = [...TRAIN_FIELDS.map(({ name }) => name).filter((name) => !name.startsWith(PEFT)), "peft"];
  for (const [name, value] of Object.entries(values)) {
    if (!names.includes(name)) throw unknownField(file, name, names);
    if (name === "peft") {
      if (!isMap(value)) throw wrong(file, `peft is ${JSON.stringify(value)}, expected the fields of PEFT's config`);
    } else
      checkValue(
        file,
        TRAIN_FIELDS.find((field) => field.name === name)!,
        value,
      );
  }
  return values;
}

function unknownField(file: string, name: string, names: readonly string[]): ConfigError {
  const meant = meantName(name, names);
  const hint =
    meant === undefined ? "weft train --help lists the fields; those of PEFT's config stand under peft" : `did you mean ${meant}?`;
  return new ConfigError(`${file}: there is no field ${name}`, { kind: "unknown-field", file, hint });
}

/** @throws ConfigError naming file, field, what is expected and what is there */
function checkValue(file: string, field: TrainField, value: unknown): void {
  const expected = expectedOf(field, value);
  if (expected !== undefined) throw wrong(file, `${field.name} is ${JSON.stringify(value)}, expected ${expected}`);
}

const isMap = (value: unknown): value is Values => typeof value === "object" && value !== null && !Array.isArray(value);

const wrong = (file: string, message: string): ConfigError =>
  new ConfigError(message.startsWith(file) ? message : `${file}: ${message}`, {
    kind: "training-option",
    file,
    hint: "weft train --help says what a field holds",
  });

function readText(file: string): string {
  const bytes = readSmallFile(file);
  if (bytes.length <= MAX_CONFIG_BYTES) return bytes.toString("utf8");
  throw wrong(file, `it has ${bytes.length} bytes, a file of settings at most ${MAX_CONFIG_BYTES}`);
}
