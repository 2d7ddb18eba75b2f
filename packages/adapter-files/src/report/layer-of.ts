import { type DType, type LayerKind, type LayerSpec, type MethodEntry, type ParameterSpec, WeftError } from "@weft/tensor-core";
import type { AdapterModule, AdapterTensor } from "../opened-adapter.js";

/** A layer that an adapter fits, and the adapter's tensors by the method's parameter names. */
export interface FittedLayer {
  readonly layer: LayerSpec;
  /** The config with what the shapes of the tensors say. */
  readonly config: object;
  readonly tensors: ReadonlyMap<string, AdapterTensor>;
  /** Tensors of the module that the method does not use with this config. */
  readonly unused: readonly AdapterTensor[];
}

export interface Misfit {
  /** What is wrong, for a message that begins with the module's path. */
  readonly problem: string;
}

type Method = NonNullable<MethodEntry["method"]>;

/** A weight of the base that an adapter's module is for. */
export interface BaseWeight {
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Its module has a bias too. */
  readonly bias: boolean;
  /** It is a raw parameter, not a layer's weight. */
  readonly parameter: boolean;
  /** The layer, where the model knows it. */
  readonly layer: LayerSpec | undefined;
}

/**
 * The layers that a base weight may belong to, as far as its shape and the adapter's tensors tell: more than one where they fit a matrix stored
 * [in, out] as well as one stored [out, in]. The order is that of `fan_in_fan_out`.
 */
export function fitLayers(method: Method, config: object, module: AdapterModule, weight: BaseWeight): readonly FittedLayer[] | Misfit {
  const fitting: FittedLayer[] = [];
  let first: Misfit | undefined;
  for (const layer of weight.layer ? [weight.layer] : layersOf(config, module, weight)) {
    if (fitting.length > 0 && fitting[0]!.layer.kind !== layer.kind) break;
    const result = fit(method, config, layer, module);
    if ("layer" in result) fitting.push(result);
    else first ??= result;
  }
  if (fitting.length > 0) return fitting;
  return first ?? { problem: `the base weight is [${weight.shape.join(",")}], which no layer has` };
}

/** Layers that the weight may be, the likeliest first. */
function layersOf(config: object, module: AdapterModule, { shape, dtype, bias, parameter }: BaseWeight): LayerSpec[] {
  const keys = [...module.tensors.keys()];
  const spec = (kind: LayerKind, rest: Partial<LayerSpec> = {}): LayerSpec => ({ kind, shape, dtype, bias, ...rest });
  if (keys.some((key) => key.includes("embedding"))) return [spec("embedding")];
  // PEFT takes a single matrix as a layer's weight, and turns stacks alone.
  if (parameter) return (shape.length > 2 ? [false, true] : [false]).map((transposed) => spec("parameter", { transposed }));
  if (shape.length === 1) return [spec("norm")];
  if (shape.length === 2) {
    const stored = Boolean((config as { fanInFanOut?: boolean }).fanInFanOut);
    return [spec("linear", { transposed: stored }), spec("linear", { transposed: !stored }), spec("embedding")];
  }
  const kind = ([undefined, undefined, undefined, "conv1d", "conv2d", "conv3d"] as const)[shape.length];
  if (!kind) return [];
  const channels = module.tensors.get("lora_A.weight")?.shape[1] ?? shape[1]!;
  const groups = channels > shape[1]! && channels % shape[1]! === 0 ? channels / shape[1]! : 1;
  const each = shape.slice(2);
  const conv = { stride: each.map(() => 1), padding: each.map(() => 0), dilation: each.map(() => 1), groups };
  return [spec(kind, { conv })];
}

function fit(method: Method, config: object, layer: LayerSpec, { tensors }: AdapterModule): FittedLayer | Misfit {
  const keys = method.keys(layer);
  const found = new Map<string, AdapterTensor>();
  const used = new Set<string>();
  for (const [name, candidates] of Object.entries(keys)) {
    const key = candidates.find((candidate) => tensors.has(candidate));
    if (key === undefined) continue;
    found.set(name, tensors.get(key)!);
    used.add(key);
  }
  let specs: { readonly [name: string]: ParameterSpec };
  let fitted = config;
  try {
    const shapes = Object.fromEntries([...found].map(([name, { shape }]) => [name, shape]));
    fitted = method.configFromShapes?.(config as never, layer, shapes) ?? config;
    specs = method.parameters(fitted as never, layer);
  } catch (error) {
    if (error instanceof WeftError) return { problem: error.message };
    throw error;
  }
  for (const [name, { shape }] of Object.entries(specs)) {
    const tensor = found.get(name);
    const key = label(keys[name]!.find((candidate) => used.has(candidate)) ?? keys[name]![0]!);
    if (!tensor) return { problem: `${key} is missing` };
    if (tensor.shape.join() !== shape.join())
      return { problem: `${key} is [${tensor.shape.join(",")}], base weight is [${layer.shape.join(",")}] → needs [${shape.join(",")}]` };
  }
  const extra = [...found].filter(([name]) => !specs[name]).map(([, tensor]) => tensor);
  const wanted = new Map([...found].filter(([name]) => specs[name]));
  return {
    layer,
    config: fitted,
    tensors: wanted,
    unused: [...[...tensors].flatMap(([key, tensor]) => (used.has(key) ? [] : [tensor])), ...extra],
  };
}

const label = (key: string): string => key.replace(/\.weight$/, "");
