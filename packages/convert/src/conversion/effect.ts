import { cast, type Device, reshape, type Tensor } from "@weft/tensor-core";
import {
  type AdapterModule,
  type AdapterTensor,
  createModuleConfig,
  fitLayers,
  type FittedLayer,
  type OpenedAdapter,
  readAdapterTensor,
} from "@weft/adapter-files";
import { parametersOf, weightMatrix } from "@weft/adapter-files/dialects";
import { isEmbedding } from "./convert-modules.js";

/** What a module does to a weight, as far as its file alone tells. */
export interface ModuleEffect {
  /** ΔW as [out, everything else], in f32; undefined for methods whose change depends on the weight. */
  readonly delta: Tensor | undefined;
  /** Parameters that act otherwise, flattened: magnitudes, biases, and all of them where there is no ΔW. */
  readonly others: ReadonlyMap<string, Tensor>;
  /** Numbers of the config that a change without ΔW depends on. */
  readonly numbers: string;
  /** Frees what was read. */
  dispose(): void;
}

/** Parameters that ΔW is made of. */
const IN_DELTA = /^(lora_(down|up|mid)\.weight|hada_\w+|lokr_\w+|diff|w_norm)$/;

/** Rebuilds a module's change by its method's own definition, in f32 throughout: programs differ in where they round. */
export async function moduleEffect(adapter: OpenedAdapter, module: AdapterModule, device?: Device): Promise<ModuleEffect> {
  const read: Tensor[] = [];
  const reader: Reader = async (tensor) => {
    const t = await readAdapterTensor(adapter.weights, tensor, device);
    read.push(t);
    return t;
  };
  const others = new Map<string, Tensor>();
  const delta = await deltaOf(adapter, module, reader);
  for (const [name, tensor] of parametersOf(module))
    if (!delta || !IN_DELTA.test(name)) others.set(name, reshape(cast(await reader(tensor), "f32"), [-1]));
  const { alpha, onInput } = (module.config ?? {}) as { alpha?: number | null; onInput?: number };
  return {
    delta,
    others,
    numbers: delta ? "" : JSON.stringify([alpha ?? null, onInput ?? null]),
    dispose: () => read.forEach((t) => t.dispose()),
  };
}

type Reader = (tensor: AdapterTensor) => Promise<Tensor>;

async function deltaOf(adapter: OpenedAdapter, module: AdapterModule, read: Reader): Promise<Tensor | undefined> {
  const method = adapter.methods.get(module.method ?? adapter.method)?.method;
  const shape = weightShape(module);
  if (!method?.delta || !shape) return undefined;
  const config = { ...createModuleConfig<object>(adapter.config)(module.path), ...module.config };
  const bias = ["diff_b", "b_norm"].some((name) => module.tensors.has(name));
  const fits = fitLayers(method, config, module, { shape, dtype: "f32", bias, parameter: false, layer: undefined });
  if ("problem" in fits) return undefined;
  const [fitted] = fits as readonly [FittedLayer];
  const parts = [...fitted.tensors].map(async ([name, tensor]) => [name, cast(await read(tensor), "f32")] as const);
  const params = Object.fromEntries(await Promise.all(parts));
  const delta = method.delta(params, { layer: fitted.layer, config: fitted.config, scale: 1 } as never);
  return reshape(cast(delta, "f32"), [shape[0]!, -1]);
}

/** The weight's shape, with a kernel where the parameters show it; the elements of ΔW lie in one order either way. */
function weightShape(module: AdapterModule): readonly number[] | undefined {
  const parameters = parametersOf(module);
  const matrix = weightMatrix(parameters);
  if (!matrix) return undefined;
  const [out, inputs] = matrix;
  const shape = (name: string): readonly number[] | undefined => parameters.get(name)?.shape;
  if (shape("w_norm")) return [out];
  if (shape("diff")) return shape("diff");
  if (isEmbedding(module)) return [inputs, out];
  const kernel = (
    shape("lora_mid.weight") ??
    shape("lora_down.weight") ??
    shape("hada_t1") ??
    shape("lokr_t2") ??
    shape("lokr_w2") ??
    []
  ).slice(2);
  return kernel.length <= 3 ? [out, inputs / kernel.reduce((a, b) => a * b, 1), ...kernel] : undefined;
}
