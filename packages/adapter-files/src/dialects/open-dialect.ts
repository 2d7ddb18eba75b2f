import { ConfigError, FormatError, methodDetector, type MethodTable } from "@weft/tensor-core";
import type { WeightSource } from "@weft/io-safetensors";
import { ADAPTER_WARNINGS } from "../adapter-warning.js";
import { type AdapterConfig, readAdapterConfig } from "../config/read-config.js";
import { chosenAdapter, splitAdapterName } from "../keys/adapter-name.js";
import { MAX_KEY_LENGTH } from "../keys/parse-key.js";
import type { AdapterModule, AdapterTensor, OpenAdapterOptions, OpenedAdapter } from "../opened-adapter.js";
import { openPeft } from "../open-peft.js";
import { type AlphaOptions, type AlphaSource, alphaSource } from "./alpha-source.js";
import { CONTROL_LORA_MARK } from "./control-lora.js";
import { detectDialect } from "./detect-dialect.js";
import type { DialectKey, DialectName } from "./dialect.js";
import { DIALECTS } from "./dialects.js";
import { headerConfigs } from "./diffusers-metadata.js";
import { inferredConfig } from "./inferred-config.js";
import { MLX_TRANSPOSED } from "./mlx.js";
import { type MethodDetector, moduleId, modulesOf, rankOf, type RawModule, SCALARS } from "./module-of.js";
import { listNames } from "../list-names.js";
import { readScalar } from "./read-scalar.js";

export interface OpenDialectOptions extends OpenAdapterOptions, AlphaOptions {}

/** Scalars that are read at a time. */
const READS = 64;

/**
 * Opens an adapter without PEFT's config: sorts every key by module and parameter, tells each module's algorithm, and reads the alphas. What
 * belongs to no module is in `unknown`.
 * @throws FormatError kinds `unknown-dialect`, `ambiguous-dialect`, `missing-config`; ConfigError kinds `duplicate-key`, `config-schema`, `alpha-known`
 */
export async function openDialect(weights: WeightSource, options: OpenDialectOptions): Promise<OpenedAdapter> {
  const { methods } = options;
  const detection = options.dialect ? undefined : detectDialect(weights);
  const name = options.dialect ?? detection?.dialect;
  if (name === undefined) throw unknownDialect(weights);
  if (name === "peft") {
    const opened = await openPeft({ config: inferredConfig(weights, options), weights }, options);
    if (options.alpha !== undefined) return opened;
    return { ...opened, alphaAssumed: true, warnings: [...opened.warnings, ADAPTER_WARNINGS.unknownAlpha()] };
  }
  const { raw, unknown, replaced, meant, leftOut } = groupKeys(weights, name, options.adapterName);
  const alpha = alphaSource(name, weights, raw.values(), options);
  const detect = methodDetector(methods);
  const modules = await buildModules(detect, weights, name, raw, unknown, alpha);
  const unnamed = await applyHeader(weights, methods, raw, modules);
  const silent = [...modules.values()].filter(({ config }) => (config?.alpha ?? config?.loraAlpha) === 0 || config?.r === 0);
  const warnings = [
    ...ADAPTER_WARNINGS.file(weights.warnings),
    ...ADAPTER_WARNINGS.otherAdapters(leftOut, meant),
    ...alpha.warnings,
    ...ADAPTER_WARNINGS.notInHeader(unnamed),
    ...ADAPTER_WARNINGS.withoutEffect(silent.map((module) => module.name!)),
    ...ADAPTER_WARNINGS.unusedTensors(unknown.map((tensor) => tensor.name)),
  ];
  return {
    dialect: name,
    ...(detection && { detection }),
    ...(alpha.assumed && { alphaAssumed: true }),
    methods,
    method: commonest([...modules.values()].map(({ method }) => method!)) ?? "LORA",
    config: configOf([...modules.values()], methods),
    weights,
    modules,
    shared: new Map(),
    modulesToSave: replaced,
    biases: new Map(),
    embeddings: new Map(),
    trainableTokens: new Map(),
    unknown,
    warnings,
  };
}

interface Groups {
  readonly raw: ReadonlyMap<string, RawModule>;
  readonly unknown: AdapterTensor[];
  /** Those that stand for whole tensors of the base. */
  readonly replaced: ReadonlyMap<string, AdapterTensor>;
  /** Name of the adapter that is meant, where the keys have it. */
  readonly meant: string | undefined;
  /** Keys of adapters that are not meant. */
  readonly leftOut: readonly string[];
}

function groupKeys(weights: WeightSource, name: DialectName, adapterName: string | undefined): Groups {
  const dialect = DIALECTS.get(name)!;
  const raw = new Map<string, { key: DialectKey; parameters: Map<string, AdapterTensor> }>();
  const unknown: AdapterTensor[] = [];
  const replaced = new Map<string, AdapterTensor>();
  const keys = [...weights.names()];
  const meant = chosenAdapter(
    keys.flatMap((key) => (key.length <= MAX_KEY_LENGTH ? (splitAdapterName(key).adapter ?? []) : [])),
    adapterName,
    weights.location,
  );
  const leftOut: string[] = [];
  for (const key of keys) {
    const { dtype, shape } = weights.info(key);
    const { plain, adapter } = key.length <= MAX_KEY_LENGTH ? splitAdapterName(key) : { plain: key, adapter: undefined };
    if (adapter !== undefined && adapter !== meant) {
      leftOut.push(key);
      continue;
    }
    const read = key.length <= MAX_KEY_LENGTH ? dialect.readKey(plain) : undefined;
    if (!read) {
      if (dialect.isWhole?.(key)) replaced.set(key, { name: key, dtype, shape });
      else if (name !== "control-lora" || key !== CONTROL_LORA_MARK) unknown.push({ name: key, dtype, shape });
      continue;
    }
    const module = raw.get(read.module) ?? { key: read, parameters: new Map<string, AdapterTensor>() };
    raw.set(read.module, module);
    const before = module.parameters.get(read.parameter);
    if (before)
      throw new ConfigError(`${before.name} and ${key} are the same parameter`, {
        kind: "duplicate-key",
        tensor: key,
        file: weights.location,
        hint: "the file holds more than one adapter; keep one",
      });
    module.parameters.set(read.parameter, tensorOf(name, key, read.parameter, dtype, shape));
  }
  return { raw, unknown, replaced, meant, leftOut };
}

/** A tensor in LyCORIS's layout: mlx-lm's factors lie transposed, and magnitudes under other names are those of output rows. */
function tensorOf(dialect: DialectName, name: string, parameter: string, dtype: string, shape: readonly number[]): AdapterTensor {
  if (dialect === "mlx" && MLX_TRANSPOSED.has(parameter) && shape.length === 2)
    return { name, dtype, shape: shape.toReversed(), transposed: true };
  if (parameter !== "dora_scale" || name.endsWith(".dora_scale")) return { name, dtype, shape };
  return { name, dtype, shape: [shape.reduce((a, b) => a * b, 1), 1] };
}

async function buildModules(
  detect: MethodDetector,
  weights: WeightSource,
  dialect: DialectName,
  raw: ReadonlyMap<string, RawModule>,
  unknown: AdapterTensor[],
  { alphaOf }: AlphaSource,
): Promise<Map<string, AdapterModule>> {
  const modules = new Map<string, AdapterModule>();
  const entries = [...raw];
  for (let at = 0; at < entries.length; at += READS) {
    const part = entries.slice(at, at + READS);
    const scalars = await Promise.all(part.map(([, { parameters }]) => readScalars(weights, parameters)));
    part.forEach(([id, module], i) => {
      const rank = rankOf(module.parameters);
      const alpha = rank === undefined ? undefined : alphaOf(module, rank);
      const built = modulesOf(detect, dialect, module, { ...(alpha !== undefined && { alpha }), ...scalars[i] });
      built.modules.forEach((own, place) => modules.set(moduleId(id, own, place), own));
      unknown.push(...built.unused);
    });
  }
  return modules;
}

async function readScalars(weights: WeightSource, parameters: RawModule["parameters"]): Promise<Record<string, number>> {
  const found = [...parameters].filter(([name]) => SCALARS.has(name));
  return Object.fromEntries(
    await Promise.all(found.map(async ([name, tensor]) => [name, await readScalar(weights, tensor.name)] as const)),
  );
}

/** Alphas of PEFT's configs in the header. @returns modules without alpha that these do not name */
async function applyHeader(
  weights: WeightSource,
  methods: MethodTable,
  raw: Groups["raw"],
  modules: Map<string, AdapterModule>,
): Promise<string[]> {
  const inHeader = await headerConfigs(weights, methods);
  if (!inHeader) return [];
  const unnamed: string[] = [];
  for (const [id, module] of modules) {
    const found = module.method === "LORA" ? inHeader(id) : undefined;
    if (found) modules.set(id, { ...module, config: { ...module.config, ...found } });
    else if (raw.get(id) && rankOf(raw.get(id)!.parameters) && !raw.get(id)!.parameters.has("alpha")) unnamed.push(id);
  }
  return unnamed;
}

/** The values that most modules have: what a summary shows. Each module has its own over them. */
function configOf(modules: readonly AdapterModule[], methods: MethodTable): AdapterConfig {
  const method = commonest(modules.map((module) => module.method!)) ?? "LORA";
  const of = (field: string): unknown => {
    const text = commonest(modules.flatMap(({ config }) => (config?.[field] === undefined ? [] : [JSON.stringify(config[field])])));
    return text === undefined ? undefined : (JSON.parse(text) as unknown);
  };
  if (method === "LORA")
    return readAdapterConfig(
      { peft_type: method, r: of("r") || 8, lora_alpha: of("loraAlpha") ?? 8, use_dora: modules.some(({ config }) => config?.useDora) },
      { methods },
    );
  return { peftType: method, fields: methods.get(method)?.fields ?? {}, values: { r: of("r"), alpha: of("alpha") }, unknown: new Map() };
}

function commonest(values: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].toSorted((a, b) => b[1] - a[1])[0]?.[0];
}

function unknownDialect(weights: WeightSource): FormatError {
  const names = [...weights.names()];
  return new FormatError(`${weights.location}: its keys are of no dialect that is known: ${listNames(names)}`, {
    kind: "unknown-dialect",
    file: weights.location,
    hint: `known are ${[...DIALECTS.values()].map(({ name, example }) => `${name} (${example})`).join(", ")}`,
  });
}
