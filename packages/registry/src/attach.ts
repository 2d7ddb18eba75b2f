import { type AdapterMethod, type Attached, CapabilityError, ConfigError, type LayerKind, type LayerSpec, MatchError, type Params, sameShape, ShapeError, type Tensor } from "@weft/tensor-core";
import { createModuleConfig } from "./matching/pattern-key.js";
import { selectParameters } from "./matching/target-parameters.js";
import { type MethodTable, PEFT_METHODS } from "./methods.js";
import type { AdapterModule, AdapterTensor, OpenedAdapter } from "./open-adapter.js";
import { readTensor } from "./read-tensor.js";

/** What an adapter is attached to: the layers of a model, or the tensors of a checkpoint. */
export interface AdapterHost {
  /** The layer at a module path, where the host knows it; else it follows from the weight and the adapter. */
  layer?(path: string): LayerSpec | undefined;
  /** Shape and dtype of a tensor of the base by its full name (`lin.weight`). */
  tensor(name: string): { readonly shape: readonly number[]; readonly dtype: LayerSpec["dtype"] } | undefined;
  names(): Iterable<string>;
}

/** One adapted weight: which tensor of the base it changes, and by what. */
export interface AdaptedWeight {
  /** Module path, or for `target_parameters` the parameter's full name. */
  readonly path: string;
  /** Name of the weight in the base. */
  readonly weight: string;
  /** Name of its bias in the base. */
  readonly bias: string;
  readonly layer: LayerSpec;
  readonly method: AdapterMethod<never>;
  readonly config: never;
  /** The adapter's tensors by parameter name of the method. */
  readonly tensors: ReadonlyMap<string, AdapterTensor>;
}

export interface AttachOptions {
  readonly methods?: MethodTable;
}

const CONVS: readonly LayerKind[] = ["conv1d", "conv2d", "conv3d"];

/** The layer that a weight belongs to, as far as the adapter's tensors and the config tell. */
function inferLayer(module: AdapterModule, weight: { readonly shape: readonly number[]; readonly dtype: LayerSpec["dtype"] }, bias: boolean, fanInFanOut: boolean): LayerSpec {
  const embedding = [...module.tensors.keys()].some((key) => key.includes("embedding"));
  const rank = weight.shape.length;
  const kind: LayerKind = embedding ? "embedding" : rank > 2 ? (CONVS[rank - 3] ?? "linear") : "linear";
  const spec: LayerSpec = { kind, shape: weight.shape, dtype: weight.dtype, bias, transposed: fanInFanOut && kind === "linear" };
  if (kind === "linear" || kind === "embedding") return spec;
  const spatial = weight.shape.slice(2);
  return { ...spec, conv: { stride: spatial.map(() => 1), padding: spatial.map(() => 0), dilation: spatial.map(() => 1), groups: 1 } };
}

function permutations<T>(items: readonly T[]): T[][] {
  return items.length <= 1 ? [[...items]] : items.flatMap((item, i) => permutations(items.toSpliced(i, 1)).map((rest) => [item, ...rest]));
}

/** Most parameters of one module whose order is searched for; experts have two or three. */
const MAX_NESTED = 5;

/**
 * Names of the raw parameters that `target_parameters` adapts, by adapter module. With several in one module the innermost wrapper holds
 * the parameter that was registered first; files do not keep that order, so shapes must tell.
 * @throws ConfigError kind `ambiguous-parameters` if they do not
 */
function parameterNames(adapter: OpenedAdapter, host: AdapterHost): Map<string, string> {
  const targets = (adapter.config.values as { targetParameters?: readonly string[] | null }).targetParameters ?? [];
  const names = new Map<string, string>();
  if (targets.length === 0) return names;
  const byModule = new Map<string, string[]>();
  for (const name of selectParameters(targets, host.names())) {
    const path = name.slice(0, name.lastIndexOf("."));
    byModule.set(path, [...(byModule.get(path) ?? []), name]);
  }
  for (const [path, found] of byModule) {
    const ids = found.map((_, i) => path + ".base_layer".repeat(found.length - 1 - i));
    const fits = (name: string, id: string): boolean => {
      const [shape, tensors] = [host.tensor(name)!.shape, adapter.modules.get(id)?.tensors];
      const [inputs, out] = [tensors?.get("lora_A.weight")?.shape[1], tensors?.get("lora_B.weight")?.shape[0]];
      return shape.at(-1) === inputs && shape.at(-2) === out;
    };
    const orders = found.length > MAX_NESTED ? [] : permutations(found).filter((order) => order.every((name, i) => fits(name, ids[i]!)));
    if (orders.length > 1) throw new ConfigError(`${path}: the adapter's tensors fit ${found.join(" and ")} in more than one order`, { kind: "ambiguous-parameters", tensor: path, hint: "adapt parameters of equal shape in adapters of their own" });
    (orders[0] ?? found).forEach((name, i) => names.set(ids[i]!, name));
  }
  return names;
}

/**
 * Finds the weight of the base that each module of an adapter changes, and checks every shape.
 * @returns the adapted weights, and the modules whose weight the host does not have
 * @throws CapabilityError if the method is not supported; ShapeError naming module, parameter and both shapes
 */
export function resolveAdapter(adapter: OpenedAdapter, host: AdapterHost, options: AttachOptions = {}): { readonly weights: readonly AdaptedWeight[]; readonly missing: readonly string[] } {
  const method = (options.methods ?? PEFT_METHODS).get(adapter.method)?.method;
  if (!method) throw new CapabilityError(`${adapter.method} adapters are recognised, but not supported yet`, { kind: "unsupported-method" });
  const configOf = createModuleConfig(adapter.config.values);
  const parameters = parameterNames(adapter, host);
  const weights: AdaptedWeight[] = [];
  const missing: string[] = [];
  for (const [id, module] of adapter.modules) {
    const parameter = parameters.get(id);
    const path = parameter ?? module.path;
    const weight = parameter ?? `${path}.weight`;
    const found = host.tensor(weight);
    if (!found) {
      missing.push(path);
      continue;
    }
    const config = configOf(path) as { fanInFanOut?: boolean };
    const bias = `${path}.bias`;
    const layer: LayerSpec = parameter
      ? { kind: "parameter", shape: found.shape, dtype: found.dtype, bias: false }
      : (host.layer?.(path) ?? inferLayer(module, found, host.tensor(bias) !== undefined, config.fanInFanOut ?? false));
    weights.push({ path, weight, bias, layer, method, config: config as never, tensors: checkedTensors(module, path, layer, method, config as never) });
  }
  return { weights, missing };
}

/** The module's tensors under the method's parameter names. */
function checkedTensors(module: AdapterModule, path: string, layer: LayerSpec, method: AdapterMethod<never>, config: never): Map<string, AdapterTensor> {
  const specs = method.parameters(config, layer);
  const keys = method.keys(layer);
  const result = new Map<string, AdapterTensor>();
  const left = new Set(module.tensors.keys());
  for (const [name, spec] of Object.entries(specs)) {
    const key = keys[name]!.find((k) => module.tensors.has(k));
    if (key === undefined) throw new ConfigError(`${path}: the adapter has no ${keys[name]![0]}`, { kind: "missing-tensor", tensor: path, hint: "the file is incomplete, or its config is that of another adapter" });
    const found = module.tensors.get(key)!;
    left.delete(key);
    if (!sameShape(found.shape, spec.shape)) {
      throw new ShapeError(`${path}: ${key} is [${found.shape}], base weight is [${layer.shape}] → needs [${spec.shape}]`, { kind: "shape-mismatch", tensor: found.name, hint: "the adapter was made for another base model" });
    }
    result.set(name, found);
  }
  if (left.size > 0) throw new ConfigError(`${path}: ${[...left].join(", ")} has no meaning with this config`, { kind: "config-mismatch", tensor: path });
  return result;
}

/** The tensors of one adapted weight, read. */
export async function readParams(adapter: OpenedAdapter, { tensors }: AdaptedWeight): Promise<Params> {
  const entries = await Promise.all([...tensors].map(async ([name, { name: file }]) => [name, await readTensor(adapter.weights, file)] as const));
  return Object.fromEntries(entries);
}

/** An adapter on a host: what `forwardAdapters` takes, by module path, and the base tensors that it replaces in full or in part. */
export interface AttachedAdapter {
  readonly layers: ReadonlyMap<string, Attached>;
  readonly replaced: ReadonlyMap<string, Tensor>;
}

/**
 * Reads an adapter whole and attaches it.
 * @param scale factor on its effect
 * @throws MatchError if modules of the adapter are not in the host
 */
export async function attachAdapter(adapter: OpenedAdapter, host: AdapterHost, options: AttachOptions & { readonly scale?: number } = {}): Promise<AttachedAdapter> {
  const { weights, missing } = resolveAdapter(adapter, host, options);
  if (missing.length > 0) throw new MatchError(`${missing.length} of ${adapter.modules.size} adapted modules are not in the model: ${missing.slice(0, 5).join(", ")}`, { kind: "unmatched", hint: "the adapter was made for another base model" });
  const layers = new Map<string, Attached>();
  for (const weight of weights) layers.set(weight.path, { method: weight.method, params: await readParams(adapter, weight), context: { layer: weight.layer, config: weight.config, scale: options.scale ?? 1 } as never });
  const replaced = new Map<string, Tensor>();
  for (const group of [adapter.modulesToSave, adapter.biases, adapter.embeddings]) for (const [name, { name: file }] of group) replaced.set(name, await readTensor(adapter.weights, file));
  return { layers, replaced };
}

/** The rows that an adapter's trained tokens replace, by name of the embedding weight: indices and new rows. */
export async function trainedTokens(adapter: OpenedAdapter): Promise<Map<string, { readonly indices: readonly number[]; readonly rows: Tensor }>> {
  const field = (adapter.config.values as { trainableTokenIndices?: readonly number[] | { readonly [name: string]: readonly number[] } | null }).trainableTokenIndices;
  const result = new Map<string, { indices: readonly number[]; rows: Tensor }>();
  for (const [path, { name }] of adapter.trainableTokens) {
    const listed = Array.isArray(field) ? (field as readonly number[]) : Object.entries(field ?? {}).find(([key]) => path === key || path.endsWith(`.${key}`))?.[1];
    const rows = await readTensor(adapter.weights, name);
    if (!listed || listed.length !== rows.shape[0]) throw new ConfigError(`${path}: the file holds ${rows.shape[0]} trained tokens, the config lists ${listed?.length ?? "none"}`, { kind: "config-mismatch", tensor: name });
    result.set(`${path}.weight`, { indices: listed, rows });
  }
  return result;
}
