import { tokensMethod } from "./trainable-tokens.js";
import {
  type AdapterMethod,
  assertKnownFields,
  assertNewLayer,
  type Attached,
  ConfigError,
  initLayer,
  initShared,
  type MethodTable,
  type Tensor,
  throwIfAborted,
  torchGenerator,
  type TorchGenerator,
  type Params,
} from "@weft/tensor-core";
import {
  type AdapterConfig,
  createModuleConfig,
  prepareRegex,
  readAdapterConfig,
  refuseUnrunnable,
  selectParameters,
  selectTargets,
  type TargetConfig,
  withDefaultTargets,
} from "@weft/adapter-files";
import type { AdapterState } from "./adapter-state.js";
import { type Experts, mixedLayers } from "./expert-state.js";
import { type HookedLayer, type HookedModel, layersOf, onModel, weightName } from "./hooked-model.js";
import { moduleNames } from "./module-names.js";
import { newPrompt } from "./prompt-state.js";
import { tieLayers, tiesOf } from "./tie-parameters.js";
import type { ConfigInput, NewAdapterOptions } from "./new-adapter.js";
import { PEFT_VERSION } from "./peft-version.js";

interface Values extends TargetConfig {
  readonly bias?: string;
  readonly trainableTokenIndices?: readonly number[] | { readonly [name: string]: readonly number[] } | null;
}

/**
 * A new adapter on the modules of a model that its config names, initialised as PEFT does.
 * @throws ConfigError if the method is not defined, nothing matches, or a module is not of a kind that the method takes
 */
export async function newState(
  model: HookedModel<never, unknown>,
  input: ConfigInput,
  { seed = 0, methods, experts, signal, onProgress, onWarning, ...source }: NewAdapterOptions,
): Promise<AdapterState> {
  const read = resolved(readAdapterConfig({ peft_version: PEFT_VERSION, ...asObject(input) }, { methods }), model, methods);
  const { method, prompt } = methods.get(read.peftType) ?? {};
  const config = withHeads(onModel(read, method, model));
  assertKnownFields(Object.fromEntries(config.unknown), Object.keys(prompt?.fields ?? method?.fields ?? {}), config.peftType);
  if (prompt)
    return newPrompt(prompt, config, model, { seed, ...source }, replacedOf(model, config.values as unknown as Values, new Map()));
  if (!method)
    throw new ConfigError(`${config.peftType} cannot be created here: the method is not defined`, { kind: "unsupported-method" });
  refuseUnrunnable(method, config.values);
  await prepareRegex(config, method);
  const values = config.values as unknown as Values;
  const generator = torchGenerator(seed);
  if (method.mix) return newMixture(method, config, experts, model, generator);
  const all = layersOf(model, method);
  const targets = method.choose ? byPath(all, method.choose(config.values as never, all)) : chosen(model, values, all);
  const moduleConfig = createModuleConfig(config, undefined, method);
  const allotted = method.allot?.(
    config.values as never,
    targets.map(({ layer }) => layer),
  );
  const configs = targets.map(({ path }, i) => ({ ...moduleConfig(path), ...(allotted?.[i]?.config as object | undefined) }) as never);
  const shared = initShared(method, config.values as never, targets, generator);
  const layers = new Map<string, readonly Attached[]>();
  const expected = new Map<string, Tensor>();
  const initial = new Map<string, Params>();
  for (const [i, { path, layer, base: below }] of targets.entries()) {
    throwIfAborted(signal);
    assertNewLayer(method, configs[i]!, layer, path, onWarning && { onWarning });
    const origin = { path, weight: () => below.weight, bias: () => below.bias, index: i, count: targets.length };
    const made = await initLayer(method, configs[i]!, layer, generator, origin, shared, allotted?.[i]?.params);
    layers.set(path, [{ method, params: { ...made.others, ...made.params }, context: { layer, config: made.config, scale: 1 } as never }]);
    if (made.weight) expected.set(weightName({ path, layer }), made.weight);
    if (made.removed) initial.set(path, made.removed);
    onProgress?.(i + 1, targets.length);
  }
  await addTokens(layers, values, all, generator, methods);
  const ties = tiesOf(method, config, layers, model);
  const replaced = replacedOf(model, values, layers);
  return { config, layers: tieLayers(layers, ties), ties, shared, replaced, expected, ...(initial.size > 0 && { initial }) };
}

/** A new adapter over others. PEFT's numbers for a seed are others, as it draws for the experts before it reads them. */
async function newMixture(
  method: AdapterMethod<never>,
  config: AdapterConfig,
  given: Experts | undefined,
  model: HookedModel<never, unknown>,
  generator: TorchGenerator,
): Promise<AdapterState> {
  const { attached, experts } = await mixedLayers(method, config, given, model, {});
  const modules = [...attached].map(([path, { context }]) => ({ path, layer: context.layer }));
  const shared = initShared(method, config.values as never, modules, generator);
  const layers = new Map([...attached].map(([path, one]) => [path, [{ ...one, params: { ...shared, ...one.params } }]] as const));
  return { config, layers, shared, experts, replaced: new Map(), expected: new Map() };
}

/** Names under which transformers' classifiers have the layer that is new: it is trained whole and saved, as PEFT does. @see peft `peft_model.py` PeftModelForSequenceClassification, PeftModelForTokenClassification */
const HEADS = ["classifier", "score"];

/** The config with what its task brings along. */
function withHeads(config: AdapterConfig): AdapterConfig {
  const { taskType, modulesToSave } = config.values as {
    readonly taskType?: string | null;
    readonly modulesToSave?: readonly string[] | null;
  };
  if (taskType !== "SEQ_CLS" && taskType !== "TOKEN_CLS") return config;
  const all = [...(modulesToSave ?? []), ...HEADS.filter((name) => !modulesToSave?.includes(name))];
  return { ...config, values: { ...config.values, modulesToSave: all } };
}

const asObject = (input: ConfigInput): { readonly [field: string]: unknown } =>
  "peftType" in input ? { ...input, peftType: input.peftType } : { ...input };

function resolved(config: AdapterConfig, model: HookedModel<never, unknown>, methods: MethodTable): AdapterConfig {
  const defaults = methods.get(config.peftType)?.method?.defaultTargets;
  return {
    ...config,
    values: withDefaultTargets(defaults, config.values as TargetConfig, model.config?.modelType) as AdapterConfig["values"],
  };
}

function byPath(all: readonly HookedLayer[], paths: readonly string[]): HookedLayer[] {
  return all.filter(({ path }) => paths.includes(path));
}

/** The layers that a config names, in the model's order. */
function chosen(model: HookedModel<never, unknown>, values: Values, all: readonly HookedLayer[]): HookedLayer[] {
  const known = new Map(all.map((layer) => [layer.path, layer]));
  const raw = all.filter(({ layer }) => layer.kind === "parameter").map(({ path }) => path);
  const parameters = new Set(selectParameters(values.targetParameters ?? [], raw));
  const { matched } = selectTargets(values, moduleNames(model));
  const unknown = matched.find((path) => !known.has(path));
  if (unknown !== undefined)
    throw new ConfigError(`target module ${unknown} is not a layer that adapters attach to`, {
      kind: "unsupported-target",
      tensor: unknown,
      hint: "name linear, convolution, embedding or norm layers",
    });
  const names = new Set(matched);
  const targets = all.filter(({ path, layer }) => (layer.kind === "parameter" ? parameters.has(path) : names.has(path)));
  if (targets.length === 0)
    throw new ConfigError(`no module of the model matches target_modules ${JSON.stringify(values.targetModules)}`, {
      kind: "no-match",
      hint: `modules are named like ${all
        .slice(0, 3)
        .map(({ path }) => path)
        .join(", ")}`,
    });
  return targets;
}

/** `trainable_token_indices`: rows of embeddings that are trained beside the method's own parameters. A list is for the input embedding. */
async function addTokens(
  layers: Map<string, readonly Attached[]>,
  { trainableTokenIndices: field }: Values,
  all: readonly HookedLayer[],
  generator: TorchGenerator,
  methods: MethodTable,
): Promise<void> {
  if (!field) return;
  const method = tokensMethod(methods);
  const embeddings = all.filter(({ layer }) => layer.kind === "embedding");
  const wanted = Array.isArray(field)
    ? embeddings.slice(0, 1).map((layer) => [layer, field as readonly number[]] as const)
    : Object.entries(field as { readonly [name: string]: readonly number[] }).map(([name, indices]) => {
        const found = embeddings.find(({ path }) => path === name || path.endsWith(`.${name}`));
        if (!found) throw new ConfigError(`trainable_token_indices names ${name}, which is no embedding of the model`, { tensor: name });
        return [found, indices] as const;
      });
  for (const [{ path, layer, base }, tokenIndices] of wanted) {
    const config = { tokenIndices, targetModules: null, initWeights: true };
    const { params } = await initLayer(method, config as never, layer, generator, {
      path,
      weight: () => base.weight,
      bias: () => base.bias,
      count: 1,
    });
    const tokens = { method, params, context: { layer, config, scale: 1 } } as unknown as Attached;
    layers.set(path, [...(layers.get(path) ?? []), tokens]);
  }
}

/** Parameters of the base that are trained whole: of `modules_to_save`, and biases. */
function replacedOf(
  model: HookedModel<never, unknown>,
  { modulesToSave, bias }: Values,
  layers: ReadonlyMap<string, unknown>,
): Map<string, Tensor> {
  const inSaved = (name: string): boolean =>
    (modulesToSave ?? []).some((entry) =>
      name
        .split(".")
        .slice(0, -1)
        .some((_, i, parts) =>
          parts
            .slice(0, i + 1)
            .join(".")
            .endsWith(entry),
        ),
    );
  const trains = (name: string): boolean => {
    if (inSaved(name)) return true;
    if (!name.endsWith(".bias") || !bias || bias === "none") return false;
    return bias === "all" || layers.has(name.slice(0, -5));
  };
  return new Map([...model.weights].filter(([name]) => trains(name)));
}
