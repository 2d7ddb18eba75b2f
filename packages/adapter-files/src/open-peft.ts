import { ConfigError, type LayerSpec, WeftError } from "@weft/tensor-core";
import type { WeightSource } from "@weft/io-safetensors";
import { ADAPTER_WARNINGS, type AdapterWarning } from "./adapter-warning.js";
import { type AdapterConfig, readAdapterConfig } from "./config/read-config.js";
import { checkFactors } from "./keys/check-factors.js";
import { checkRanks } from "./keys/ranks.js";
import { chosenAdapter } from "./keys/adapter-name.js";
import { adapterNameFinder } from "./keys/peft-adapter-name.js";
import { type KeyContext, parseKey } from "./keys/parse-key.js";
import { prepareRegex } from "./matching/prepare-regex.js";
import { type RegexEngine, safeRegex } from "./matching/regex-engine.js";
import { listNames } from "./list-names.js";
import { createTargetMatcher, expandAllLinear, type TargetConfig } from "./matching/targets.js";
import type { AdapterTensor, OpenAdapterOptions, OpenedAdapter } from "./opened-adapter.js";

type Groups = Pick<OpenedAdapter, "shared" | "modulesToSave" | "biases" | "embeddings" | "trainableTokens" | "unknown"> & {
  readonly modules: ReadonlyMap<string, { readonly path: string; readonly depth: number; readonly tensors: Map<string, AdapterTensor> }>;
};

/** Names of parameters without a common beginning do not depend on the layer. */
const SOME_LAYER: LayerSpec = { kind: "linear", shape: [1, 1], dtype: "f32", bias: false };

/**
 * A PEFT adapter: checks the config, sorts every tensor by module and parameter, and checks ranks against the tensors' shapes.
 * Which modules are adapted follows from the tensors, so a target pattern that cannot be run safely is a warning only.
 *
 * @throws ConfigError kinds `config-json`, `config-schema`, `duplicate-key`, `limit`; `not-an-adapter` if no tensor is of the config's method;
 *   `missing-tensor` if a module has only some of its parameters; `config-mismatch` if ranks differ from the tensors; `config-regex` for an invalid pattern,
 *   `unsafe-regex` for one in `rank_pattern` or `alpha_pattern` that cannot be run safely
 */
export async function openPeft(
  source: { readonly config: object; readonly weights: WeightSource },
  options: OpenAdapterOptions,
): Promise<OpenedAdapter> {
  const { methods, adapterName } = options;
  const { weights } = source;
  const config = readAdapterConfig(source.config as { readonly [field: string]: unknown }, options);
  const method = methods.get(config.peftType)!;
  if (!options.engine) await prepareRegex(config, method.method);
  const { bias, modulesToSave } = config.values as { bias?: string; modulesToSave?: readonly string[] | null };
  const names = [...weights.names()];
  const nameIn = method.method && method.prefix !== "" ? adapterNameFinder(method.method) : () => undefined;
  const meant = chosenAdapter(
    names.flatMap((name) => nameIn(name) ?? []),
    adapterName,
    weights.location,
  );
  const leftOut = names.filter((name) => (nameIn(name) ?? meant) !== meant);
  const ofName = meant ?? adapterName;
  const groups = await groupTensors(weights, new Set(leftOut), {
    prefix: method.prefix,
    ...(method.method && method.prefix === "" && { keys: new Set(Object.values(method.method.keys(SOME_LAYER)).flat()) }),
    modulesToSave: modulesToSave ?? [],
    biases: (bias ?? "none") !== "none",
    ...(ofName ? { adapterName: ofName } : {}),
  });
  const { modules, unknown } = groups;
  if (modules.size + groups.shared.size + groups.trainableTokens.size === 0) throw noAdapter(weights, config.peftType);
  if (method.method) for (const module of modules.values()) checkFactors(method.method, config.values, module, weights.location);
  checkRanks(config, modules.values(), options);
  const warnings = [
    ...ADAPTER_WARNINGS.file(weights.warnings),
    ...unsafeTargets(config, options.engine),
    ...ADAPTER_WARNINGS.unknownFields([...config.unknown.keys()]),
    ...ADAPTER_WARNINGS.otherAdapters(leftOut, meant),
    ...ADAPTER_WARNINGS.unusedTensors(unknown.map(({ name }) => name)),
  ];
  return { dialect: "peft", methods, method: config.peftType, config, weights, ...groups, warnings };
}

/** Sorts the tensors. A parameter may be there twice if the copies are equal: with `bias="all"` PEFT writes the bias of a saved module under two names. */
async function groupTensors(weights: WeightSource, leftOut: ReadonlySet<string>, context: KeyContext): Promise<Groups> {
  const modules = new Map<string, { path: string; depth: number; tensors: Map<string, AdapterTensor>; inside?: string }>();
  const groups = {
    shared: new Map<string, AdapterTensor>(),
    modulesToSave: new Map<string, AdapterTensor>(),
    biases: new Map<string, AdapterTensor>(),
    embeddings: new Map<string, AdapterTensor>(),
    trainableTokens: new Map<string, AdapterTensor>(),
  };
  const unknown: AdapterTensor[] = [];
  const put = async (group: Map<string, AdapterTensor>, key: string, tensor: AdapterTensor): Promise<void> => {
    const before = group.get(key);
    if (!before) group.set(key, tensor);
    else if (!(await equalTensors(weights, before.name, tensor.name)))
      throw new ConfigError(`${before.name} and ${tensor.name} are the same parameter, and differ`, {
        kind: "duplicate-key",
        tensor: tensor.name,
        hint: "the file holds more than one adapter; keep one",
      });
  };
  for (const name of weights.names()) {
    if (leftOut.has(name)) continue;
    const { dtype, shape } = weights.info(name);
    const tensor: AdapterTensor = { name, dtype, shape };
    const key = parseKey(name, context);
    if (key.kind === "parameter") {
      const id = key.path + ".base_layer".repeat(key.depth);
      const inside = key.inside === undefined ? {} : { inside: key.inside };
      const module = modules.get(id) ?? { path: key.path, depth: key.depth, tensors: new Map<string, AdapterTensor>(), ...inside };
      modules.set(id, module);
      await put(module.tensors, key.key, tensor);
    } else if (key.kind === "original") continue;
    else if (key.kind === "unknown") unknown.push(tensor);
    else if (key.kind === "shared") await put(groups.shared, key.key, tensor);
    else if (key.kind === "module") await put(groups.modulesToSave, `${key.path}.${key.key}`, tensor);
    else if (key.kind === "bias") await put(groups.biases, `${key.path}.bias`, tensor);
    else if (key.kind === "embedding") await put(groups.embeddings, `${key.path}.weight`, tensor);
    else await put(groups.trainableTokens, key.path, tensor);
  }
  return { modules, ...groups, unknown };
}

/** Dtype, shape and every byte. */
async function equalTensors(weights: WeightSource, a: string, b: string): Promise<boolean> {
  const [x, y] = [await weights.read(a), await weights.read(b)];
  return x.dtype === y.dtype && x.shape.join() === y.shape.join() && x.data.every((byte, i) => byte === y.data[i]);
}

function noAdapter(weights: WeightSource, peftType: string): ConfigError {
  const names = [...weights.names()];
  return new ConfigError(
    `${weights.location}: none of its ${names.length} tensors is a parameter of ${peftType} (${listNames(names)}): this is no adapter, whatever the adapter_config.json beside it says`,
    {
      kind: "not-an-adapter",
      file: weights.location,
      hint: "an adapter's tensors are in adapter_model.safetensors; a full model is used as it is, or as a base",
    },
  );
}

/** Checks the patterns that choose modules. @throws ConfigError kind `config-regex` */
function unsafeTargets({ values }: AdapterConfig, engine: RegexEngine = safeRegex): AdapterWarning[] {
  const targets = expandAllLinear(values as TargetConfig, []);
  try {
    createTargetMatcher({ ...targets, targetModules: targets.targetModules ?? [] }, { engine });
    return [];
  } catch (error) {
    if (error instanceof WeftError && (error.kind === "unsafe-regex" || error.kind === "limit"))
      return [ADAPTER_WARNINGS.unsafePattern(error.message)];
    throw error;
  }
}
