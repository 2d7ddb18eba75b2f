import { ConfigError, WeftError } from "@weft/tensor-core";
import type { WeightSource } from "@weft/io-safetensors";
import { parseConfigJson } from "./config/json.js";
import { type AdapterConfig, readAdapterConfig } from "./config/read-config.js";
import type { Detection } from "./dialects/detect-dialect.js";
import type { Component, DialectName } from "./dialects/dialect.js";
import { isMlxConfig, mlxScale } from "./dialects/mlx-config.js";
import { openDialect } from "./dialects/open-dialect.js";
import { checkRanks } from "./keys/ranks.js";
import { parseKey } from "./keys/parse-key.js";
import { type RegexEngine, safeRegex } from "./matching/regex-engine.js";
import { createTargetMatcher, type TargetConfig } from "./matching/targets.js";
import { type MethodTable, PEFT_METHODS } from "./methods.js";

/** A tensor of an adapter file. */
export interface AdapterTensor {
  /** Its name in the file; read it with `adapter.weights.read(name)`. */
  readonly name: string;
  readonly dtype: string;
  /** After `rows` and `transposed`; the same elements as in the file, where the file has other axes ([out] for [out, 1]). */
  readonly shape: readonly number[];
  /** The rows that are meant, where it is not all: parts of a fused projection. */
  readonly rows?: readonly [start: number, stop: number];
  /** The file holds the matrix [columns, rows]. */
  readonly transposed?: boolean;
}

/** What an adapter holds for one module. */
export interface AdapterModule {
  /** Path in the base model; with `flat` it has `_` where the model has dots. */
  readonly path: string;
  /** Wrappers between the module and these parameters: greater than 0 only for further `target_parameters` of the same module. */
  readonly depth: number;
  /** By the name behind the module that the method lists in `keys`: `lora_A.weight`. */
  readonly tensors: ReadonlyMap<string, AdapterTensor>;
  /** The module's name in the file, where that is not its path. */
  readonly name?: string;
  /** The part of a pipeline that it belongs to; not set in PEFT's files, which are for one model. */
  readonly component?: Component;
  readonly flat?: boolean;
  /** The module's own method, where the file does not have one for all. */
  readonly method?: string;
  /** Values of the config that hold for this module. */
  readonly config?: { readonly [field: string]: unknown };
}

/** An opened adapter: config and where every tensor belongs; no weights have been read. */
export interface OpenedAdapter {
  readonly dialect: DialectName;
  /** How the dialect was found out; not set where it was known. */
  readonly detection?: Detection;
  /** `peft_type`; where modules have methods of their own, that of most. */
  readonly method: string;
  readonly config: AdapterConfig;
  readonly weights: WeightSource;
  /** By path; a second parameter of a module has `.base_layer` behind it for each wrapper. */
  readonly modules: ReadonlyMap<string, AdapterModule>;
  /** Parameters for all modules (`vera_A`, `prompt_embeddings`). */
  readonly shared: ReadonlyMap<string, AdapterTensor>;
  /** Tensors that replace one of the base, by its name there (`lm_head.weight`): `modules_to_save`. */
  readonly modulesToSave: ReadonlyMap<string, AdapterTensor>;
  /** Trained biases of the base, by name (`lin.bias`). */
  readonly biases: ReadonlyMap<string, AdapterTensor>;
  /** Base embeddings saved along, by name: they replace, and are not a delta. */
  readonly embeddings: ReadonlyMap<string, AdapterTensor>;
  /** Embedding rows that replace those of `trainable_token_indices`, by path of the embedding. */
  readonly trainableTokens: ReadonlyMap<string, AdapterTensor>;
  /** Tensors that fit none of these. */
  readonly unknown: readonly AdapterTensor[];
  /** What a user should be told once. */
  readonly warnings: readonly string[];
}

export interface AdapterSource {
  /** Bytes or text of `adapter_config.json`, or its fields as an object; not given for dialects whose files stand alone. */
  readonly config?: string | Uint8Array | { readonly [field: string]: unknown };
  readonly weights: WeightSource;
}

export interface OpenAdapterOptions {
  readonly methods?: MethodTable;
  /** The dialect of a file that stands alone; found out if not given. */
  readonly dialect?: DialectName;
  /** The adapter's name, where a file still has it in its keys; `default` if not given. */
  readonly adapterName?: string;
  /** Name of the config file for messages. */
  readonly file?: string;
  /** Runs the config's patterns; the safe one if not given. */
  readonly engine?: RegexEngine;
}

/**
 * Opens an adapter of any dialect; only headers and scalars are read. With PEFT's config: PEFT's. With mlx-lm's config: its. Without a config the
 * keys decide: kohya, LyCORIS, diffusers, ComfyUI and so on.
 *
 * @throws ConfigError and FormatError of `openPeft` and `openDialect`
 */
export async function openAdapter(source: AdapterSource, options: OpenAdapterOptions = {}): Promise<OpenedAdapter> {
  const { weights, config } = source;
  if (config === undefined) return openDialect(weights, options);
  const fields = typeof config === "string" || config instanceof Uint8Array ? parseConfigJson(config, options.file) : config;
  if (isMlxConfig(fields)) return openDialect(weights, { ...options, dialect: "mlx", scale: mlxScale(fields, options.file) });
  return openPeft({ config: fields, weights }, options);
}

/**
 * A PEFT adapter: checks the config, sorts every tensor by module and parameter, and checks ranks against the tensors' shapes.
 * Which modules are adapted follows from the tensors, so a target pattern that cannot be run safely is a warning only.
 *
 * @throws ConfigError kinds `config-json`, `config-schema`, `duplicate-key`, `limit`; `config-mismatch` if ranks differ from the tensors;
 *   `config-regex` for an invalid pattern, `unsafe-regex` for one in `rank_pattern` or `alpha_pattern` that cannot be run safely
 */
function openPeft(source: { readonly config: object; readonly weights: WeightSource }, options: OpenAdapterOptions): OpenedAdapter {
  const { methods = PEFT_METHODS, adapterName } = options;
  const config = readAdapterConfig(source.config as { readonly [field: string]: unknown }, options);
  const method = methods.get(config.peftType)!;
  const { bias, modulesToSave: saved } = config.values as { bias?: string; modulesToSave?: readonly string[] | null };
  const context = {
    prefix: method.prefix,
    modulesToSave: saved ?? [],
    biases: (bias ?? "none") !== "none",
    ...(adapterName ? { adapterName } : {}),
  };

  const modules = new Map<string, { path: string; depth: number; tensors: Map<string, AdapterTensor> }>();
  const groups = {
    shared: new Map<string, AdapterTensor>(),
    modulesToSave: new Map<string, AdapterTensor>(),
    biases: new Map<string, AdapterTensor>(),
    embeddings: new Map<string, AdapterTensor>(),
    trainableTokens: new Map<string, AdapterTensor>(),
  };
  const unknown: AdapterTensor[] = [];
  const put = (group: Map<string, AdapterTensor>, key: string, tensor: AdapterTensor): void => {
    const before = group.get(key);
    if (before)
      throw new ConfigError(`${before.name} and ${tensor.name} are the same parameter`, {
        kind: "duplicate-key",
        tensor: tensor.name,
        hint: "the file holds more than one adapter; keep one",
      });
    group.set(key, tensor);
  };
  for (const name of source.weights.names()) {
    const { dtype, shape } = source.weights.info(name);
    const tensor: AdapterTensor = { name, dtype, shape };
    const key = parseKey(name, context);
    if (key.kind === "parameter") {
      const id = key.path + ".base_layer".repeat(key.depth);
      const module = modules.get(id) ?? { path: key.path, depth: key.depth, tensors: new Map<string, AdapterTensor>() };
      modules.set(id, module);
      put(module.tensors, key.key, tensor);
    } else if (key.kind === "unknown") unknown.push(tensor);
    else if (key.kind === "shared") put(groups.shared, key.key, tensor);
    else if (key.kind === "module") put(groups.modulesToSave, `${key.path}.${key.key}`, tensor);
    else if (key.kind === "bias") put(groups.biases, `${key.path}.bias`, tensor);
    else if (key.kind === "embedding") put(groups.embeddings, `${key.path}.weight`, tensor);
    else put(groups.trainableTokens, key.path, tensor);
  }
  checkRanks(config, modules.values(), options);
  const warnings = [...source.weights.warnings, ...unsafeTargets(config, options.engine)];
  if (method.fields && config.unknown.size > 0)
    warnings.push(
      `the config has fields that this version does not know; they are kept, but have no effect: ${list([...config.unknown.keys()])}`,
    );
  if (unknown.length > 0)
    warnings.push(
      `${unknown.length} of the adapter's tensors belong to no module and are not used: ${list(unknown.map(({ name }) => name))}`,
    );
  return { dialect: "peft", method: config.peftType, config, weights: source.weights, modules, ...groups, unknown, warnings };
}

/** Checks the patterns that choose modules. @throws ConfigError kind `config-regex` */
function unsafeTargets({ values }: AdapterConfig, engine: RegexEngine = safeRegex): string[] {
  const targets = values as TargetConfig;
  try {
    createTargetMatcher({ ...targets, targetModules: targets.targetModules ?? [] }, { engine });
    return [];
  } catch (error) {
    if (error instanceof WeftError && (error.kind === "unsafe-regex" || error.kind === "limit"))
      return [`${error.message}; the modules are taken from the adapter's tensors`];
    throw error;
  }
}

/** The first five, then a count. */
const list = (names: readonly string[]): string =>
  names.slice(0, 5).join(", ") + (names.length > 5 ? `, and ${names.length - 5} more` : "");
