import { ConfigError } from "../errors.js";

/** Check of one value of a config; `fallback` is what an absent field means (PEFT's default). */
export interface Field {
  readonly fallback: unknown;
  readonly check: (value: unknown) => boolean;
  /** What is expected, for the error: `an integer from 1 to 65536`. */
  readonly expected: string;
  /** The fields of the object that the value is, where it is a config of its own. */
  readonly table?: FieldTable;
  /** Python writes it with a decimal point (`0.0`): PEFT declares it as float. */
  readonly float?: boolean;
  /** Of a pattern → value table: the field that it replaces at the modules that match, in PEFT's spelling. */
  readonly overrides?: string;
  /** Where it is on, training passes draw at random; `input`: it is the share of its input that an adapter drops. */
  readonly draws?: "input" | "otherwise";
  /** What is said of a value of a new adapter that PEFT takes, but that is hardly meant; a file is not asked. */
  readonly doubt?: (value: unknown) => string | undefined;
}

/** The fields of a method's config under PEFT's names (snake_case). */
export type FieldTable = { readonly [name: string]: Field };

const isString = (v: unknown): boolean => typeof v === "string";
const isList =
  (of: (v: unknown) => boolean) =>
  (v: unknown): boolean =>
    Array.isArray(v) && v.every(of);
const isRecord =
  (of: (v: unknown) => boolean) =>
  (v: unknown): boolean =>
    typeof v === "object" && v !== null && !Array.isArray(v) && Object.values(v).every(of);
const isFinite = (v: unknown): boolean => typeof v === "number" && Number.isFinite(v);

/** A field that is a whole number from `low` to `high`. */
export const integer = (fallback: number, low: number, high: number): Field => ({
  fallback,
  check: (v) => Number.isInteger(v) && (v as number) >= low && (v as number) <= high,
  expected: `an integer from ${low} to ${high}`,
});
/** A field that is a finite number. */
export const finite = (fallback: number): Field => ({ fallback, check: isFinite, expected: "a finite number" });
/** A number that PEFT declares as float. */
export const float = (fallback: number): Field => ({ ...finite(fallback), float: true });
/** A field that the adapter's effect is proportional to (`lora_alpha`): 0 and below are taken, and doubted. */
export const strength = (field: Field): Field => ({
  ...field,
  doubt: (v) =>
    typeof v !== "number" || v > 0 ? undefined : v === 0 ? "the adapter does nothing" : "the adapter acts with the opposite sign",
});
/** A share that leaves something over: [0, 1). */
export const share = (fallback: number): Field => ({
  fallback,
  float: true,
  check: (v) => isFinite(v) && (v as number) >= 0 && (v as number) < 1,
  expected: "a number from 0 to below 1",
});
/** The share of its input that an adapter drops in training. */
export const dropout = (): Field => ({ ...share(0), draws: "input" });
/** The probability that a training step drops something else: a block, a module. */
export const dropRate = (fallback = 0): Field => ({ ...share(fallback), draws: "otherwise" });
/** A field that is true or false. */
export const boolean = (fallback: boolean): Field => ({ fallback, check: (v) => typeof v === "boolean", expected: "true or false" });
/** A field that is one of some values. */
export const oneOf = <T>(fallback: T, values: readonly T[]): Field => ({
  fallback,
  check: (v) => values.includes(v as T),
  expected: `one of ${values.map((v) => JSON.stringify(v)).join(", ")}`,
});
/** A field that is null, a string or a list of strings. */
export const stringOrList = (): Field => ({
  fallback: null,
  check: (v) => v === null || isString(v) || isList(isString)(v),
  expected: "a string or a list of strings",
});
/** A field that is null or a list of strings. */
export const stringList = (): Field => ({ fallback: null, check: (v) => v === null || isList(isString)(v), expected: "a list of strings" });
/** Module pattern → value of another field there: rank, alpha … @param overrides that field, in PEFT's spelling */
export const pattern = (overrides: string, low: number, high: number, whole: boolean): Field => ({
  overrides,
  fallback: {},
  check: (v) =>
    v === null || isRecord((n) => isFinite(n) && (n as number) >= low && (n as number) <= high && (!whole || Number.isInteger(n)))(v),
  expected: `an object of ${whole ? "integers" : "numbers"} from ${low} to ${high}`,
});
/** A config of its own inside a config (`kasa_config`): null where it is off, or what `fallback` is. */
export const nested = (table: FieldTable, fallback: null | object = null): Field => ({
  fallback,
  check: (v) => v === null || isRecord(() => true)(v),
  expected: "an object or null",
  table,
});
/** Anything; for fields that this method hands on without looking into them. */
export const opaque = (fallback: unknown = null): Field => ({ fallback, check: () => true, expected: "anything" });

/** The fields by which every method that adapts layers chooses its modules. */
export const TARGETING: FieldTable = {
  target_modules: stringOrList(),
  exclude_modules: stringOrList(),
  modules_to_save: stringList(),
  layers_to_transform: {
    fallback: null,
    check: (v) => v === null || Number.isInteger(v) || (Array.isArray(v) && v.every(Number.isInteger)),
    expected: "an integer or a list of integers",
  },
  layers_pattern: stringOrList(),
};

/** What `TARGETING` reads. */
export interface Targeting {
  readonly targetModules: string | readonly string[] | null;
  readonly excludeModules: string | readonly string[] | null;
  /** Modules that are trained whole and saved beside the adapter. */
  readonly modulesToSave: readonly string[] | null;
  readonly layersToTransform: number | readonly number[] | null;
  readonly layersPattern: string | readonly string[] | null;
}

/** Largest rank that a config may ask for: far beyond any use, small enough to bound memory. */
export const MAX_RANK = 65536;

/** PEFT's spelling of a field as an object has it here: `lora_alpha` → `loraAlpha`. */
export const camel = (name: string): string => name.replace(/_([a-zA-Z])/g, (_, c: string) => c.toUpperCase());

/**
 * A config object (camelCase, defaults filled in) from values in either spelling. Unknown fields are left out; the caller
 * keeps them for a round trip.
 * @throws ConfigError naming the field, what was expected and what was found
 */
export function readFields(table: FieldTable, values: { readonly [name: string]: unknown }, file?: string): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(table)) {
    const key = Object.hasOwn(values, name) ? name : camel(name);
    const value = Object.hasOwn(values, key) && values[key] !== undefined ? values[key] : field.fallback;
    if (!field.check(value) && value !== field.fallback) {
      throw new ConfigError(`${name} is ${JSON.stringify(value)}, expected ${field.expected}`, {
        kind: "config-schema",
        ...(file ? { file } : {}),
      });
    }
    result[camel(name)] = field.table && isOn(value, field) ? readNested(name, field.table, value, file) : value;
  }
  return result;
}

/** Whether a config inside a config is there; an empty one has defaults, unless that is how the field says that it is off. */
const isOn = (value: unknown, { fallback }: Field): value is { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null && (fallback === null || Object.keys(value).length > 0);

function readNested(name: string, table: FieldTable, value: { readonly [name: string]: unknown }, file?: string): Record<string, unknown> {
  assertKnownFields(value, Object.keys(table), name, file);
  return readFields(table, value, file);
}

/** Fields of every config, which say where it is from and what for, not what the method does. */
const COMMON = [
  "auto_mapping",
  "base_model_name_or_path",
  "inference_mode",
  "peft_type",
  "peft_version",
  "revision",
  "runtime_config",
  "task_type",
];

/** Null, false, nothing: what an option that is off looks like. */
const isOff = (value: unknown): boolean =>
  value === null ||
  value === undefined ||
  value === false ||
  value === "" ||
  (typeof value === "object" && Object.keys(value).length === 0);

/**
 * Checks that nothing is asked for that a method does not know: a field of a newer version, or a slip of the pen. Options that are off may stay.
 * @param values in either spelling
 * @param known fields of the method, in PEFT's spelling
 * @throws ConfigError kind `unknown-field` naming them
 */
export function assertKnownFields(
  values: { readonly [name: string]: unknown },
  known: Iterable<string>,
  what: string,
  file?: string,
): void {
  const names = new Set([...known, ...COMMON].flatMap((name) => [name, camel(name)]));
  const unknown = Object.keys(values).filter((name) => !names.has(name) && !isOff(values[name]));
  if (unknown.length > 0)
    throw new ConfigError(`${what} has no field ${unknown.map((name) => JSON.stringify(name)).join(", ")}`, {
      kind: "unknown-field",
      hint:
        meantField(unknown, known) ??
        "it may change what the adapter does; remove it, or allow it with allowUnknownFields where the adapter is read",
      ...(file ? { file } : {}),
    });
}

/** Which of PEFT's fields a short name stands for: `rank` for `r`, `alpha` for the `lora_alpha` that the method has. */
function meantField(unknown: readonly string[], known: Iterable<string>): string | undefined {
  const names = [...known];
  const meant = unknown.flatMap((name) => {
    const found = name === "rank" ? names.find((other) => other === "r") : names.find((other) => other.endsWith(`_${name}`));
    return found === undefined ? [] : [`${JSON.stringify(name)} is called ${camel(found)} (in files ${found})`];
  });
  return meant.length > 0 ? meant.join("; ") : undefined;
}

/** The fields of a table that an object has, back in PEFT's spelling, defaults included. */
export function writeFields(table: FieldTable, config: { readonly [name: string]: unknown }): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(table).map(([name, field]) => {
      const value = config[camel(name)] ?? field.fallback;
      return [name, field.table && isOn(value, field) ? writeFields(field.table, value) : value];
    }),
  );
}

/** The class of a method's configs: checked values under camelCase names, with PEFT's defaults. */
export type ConfigClass<C> = new (
  values?: Partial<C> | { readonly [name: string]: unknown },
) => Readonly<C> & { readonly peftType: string };

/** Makes the class of a method's configs from its table. Its constructor takes PEFT's JSON or camelCase. @throws ConfigError naming a field that is wrong, or that the method does not have */
export function configClass<C>(peftType: string, table: FieldTable): ConfigClass<C> {
  class Config {
    constructor(values: { readonly [name: string]: unknown } = {}) {
      assertKnownFields(values, Object.keys(table), peftType);
      Object.assign(this, readFields(table, values));
    }
    get peftType(): string {
      return peftType;
    }
  }
  return Config as unknown as ConfigClass<C>;
}
