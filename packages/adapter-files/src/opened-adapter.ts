import type { MethodTable } from "@weft/tensor-core";
import type { WeightSource } from "@weft/io-safetensors";
import type { AdapterWarning } from "./adapter-warning.js";
import type { AdapterConfig } from "./config/read-config.js";
import type { Detection } from "./dialects/detect-dialect.js";
import type { Component, DialectName } from "./dialects/dialect.js";
import type { RegexEngine } from "./matching/regex-engine.js";

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
  /** The adapted module that it is a part of: PEFT wraps `out_proj` inside a multi-head attention. */
  readonly inside?: string;
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
  /** What it was opened with: the definitions of its methods, and of those that may stand beside them. */
  readonly methods: MethodTable;
  /** `peft_type`; where modules have methods of their own, that of most. */
  readonly method: string;
  readonly config: AdapterConfig;
  /** Nothing says alpha and no reader knows it; the scale of 1 is there to look at the rest. */
  readonly alphaAssumed?: boolean;
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
  readonly warnings: readonly AdapterWarning[];
}

/** What an adapter is opened from: its tensors, with or without a config. */
export interface AdapterSource {
  /** Bytes or text of `adapter_config.json`, or its fields as an object; not given for dialects whose files stand alone. */
  readonly config?: string | Uint8Array | { readonly [field: string]: unknown };
  readonly weights: WeightSource;
}

/** By which methods and dialect an adapter is read, and what may be unknown in it. */
export interface OpenAdapterOptions {
  /** The methods that it may be of, which are bound to it for all that is done with it. */
  readonly methods: MethodTable;
  /** The dialect of a file that stands alone; found out if not given. */
  readonly dialect?: DialectName;
  /** Alpha of all modules, for files that do not say it. */
  readonly alpha?: number;
  /** Take the rank for an alpha that nothing says and no reader knows, instead of refusing: to look at an adapter, not to use it. */
  readonly assumeAlpha?: boolean;
  /** The adapter's name, where a file still has it in its keys; `default` if not given. */
  readonly adapterName?: string;
  /** Name of the config file for messages. */
  readonly file?: string;
  /** Runs the config's patterns; the safe one if not given. */
  readonly engine?: RegexEngine;
}
