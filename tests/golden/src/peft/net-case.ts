import { residualWeight } from "@weft/adapters-lora/starts";
import { basename, join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { loraVariant } from "@weft/adapters-lora";
import { type OpenedAdapter, trainedTokens } from "@weft/adapter-files";
import { attachAdapter, type AttachedAdapter, type AttachOptions } from "@weft/registry";
import { openAdapterFolder } from "@weft/adapter-files/node";
import {
  type AdapterContext,
  type BaseLayer,
  concat,
  countParameters,
  type Device,
  forwardAdapters,
  forwardBase,
  mergeBias,
  mergeWeight,
  ones,
  reshape,
  sizeOf,
  slice,
  swapLast,
  type Tensor,
} from "@weft/tensor-core";
import { Comparison, type Outcome } from "../case.js";
import { readTensors, withPrefix } from "./files.js";
import { checkGradients, checkSave, checkTraining, kindOf, peftOf } from "./evidence.js";
import { NetModel } from "./net-model.js";
import { buildNet, type LayerInfo, type Net } from "./nets.js";
import { butterflyIndices, rotationMatrix } from "./rotations.js";

/** `case.json` of a case over one of the little networks. */
export interface NetMeta {
  readonly dtype: string;
  readonly base: string;
  readonly tolerance: number;
  readonly trainable_params?: number;
  readonly all_params?: number;
  /** False where PEFT read the adapter with `autocast_adapter_dtype=False`. */
  readonly autocast_adapter_dtype?: boolean;
  /** False where PEFT's unmerged forward is wrong (OFT on a convolution): ours gives what the merged weight gives. */
  readonly unmerged_equals_merged?: boolean;
  readonly layers: { readonly [name: string]: LayerInfo };
}

/** Rows of an embedding replaced. */
function replaceRows(table: Tensor, indices: readonly number[], rows: Tensor): Tensor {
  const parts: Tensor[] = [];
  let at = 0;
  for (const [row, i] of indices.map((index, row) => [row, index] as const).sort((a, b) => a[1] - b[1])) {
    if (i > at) parts.push(slice(table, [[at, i]]));
    parts.push(slice(rows, [[row, row + 1]]));
    at = i + 1;
  }
  if (at < table.shape[0]!) parts.push(slice(table, [[at, table.shape[0]!]]));
  return concat(parts);
}

/** The base's parameters after everything that is no method's business: full replacements, trained tokens, residuals of decomposing initialisations. */
async function adaptedBase(
  parameters: ReadonlyMap<string, Tensor>,
  adapter: OpenedAdapter,
  attached: AttachedAdapter,
): Promise<Map<string, Tensor>> {
  const result = new Map([...parameters, ...attached.replaced]);
  for (const [name, { indices, rows }] of await trainedTokens(adapter)) result.set(name, replaceRows(result.get(name)!, indices, rows));
  for (const [path, { context }] of attached.layers) {
    const name = result.has(path) ? path : `${path}.weight`;
    result.set(name, await residualWeight((context as { config: never }).config, context.layer, result.get(name)!));
  }
  return result;
}

async function sameValues(a: Tensor, b: Tensor): Promise<boolean> {
  if (a === b) return true;
  const [x, y] = [await a.data(), await b.data()];
  return a.dtype === b.dtype && x.length === y.length && x.every((v, i) => v === y[i]);
}

function merge(net: Net, attached: AttachedAdapter, safeMerge: boolean): Map<string, Tensor> {
  const merged = new Map<string, Tensor>();
  for (const [path, { spec, base }] of net.layers) {
    const a = attached.layers.get(path);
    merged.set(
      spec.kind === "parameter" ? path : `${path}.weight`,
      a ? mergeWeight(a.method, base.weight, a.params, a.context, { safeMerge }) : base.weight,
    );
    const bias = a ? mergeBias(a.method, base.bias, a.params, a.context, base) : base.bias;
    if (bias) merged.set(`${path}.bias`, bias);
  }
  return merged;
}

function trainableCount(adapter: OpenedAdapter, attached: AttachedAdapter): number {
  let count = 0;
  for (const { method, context } of attached.layers.values())
    count += countParameters(method, (context as { config: never }).config, context.layer).trainable;
  for (const group of [adapter.modulesToSave, adapter.biases, adapter.trainableTokens])
    for (const { shape } of group.values()) count += sizeOf(shape);
  const [first] = attached.layers.values();
  const modules = [...attached.layers].map(([path, { context }]) => ({ path, layer: (context as AdapterContext<unknown>).layer }));
  const shared = first?.method.shared?.parameters((first.context as { config: never }).config, modules) ?? {};
  for (const { trainable, shape } of Object.values(shared)) count += trainable ? sizeOf(shape) : 0;
  return count;
}

/** `LORA`, or `LORA, DoRA`: variants that a table tells apart. */
export const methodLabel = ({ method, config: { values } }: OpenedAdapter): string => {
  const variant = (values as { useDora?: boolean }).useDora ? "DoRA" : method === "LORA" && loraVariant(values as never)?.name;
  return variant ? `${method}, ${variant}` : method;
};

/** An adapter by itself; one whose file does not say what its layers have is attached by a model alone. */
function attachedOf(
  adapter: OpenedAdapter,
  peft: Awaited<ReturnType<typeof peftOf>>,
  net: Net,
  parameters: ReadonlyMap<string, Tensor>,
  options: AttachOptions,
): Promise<AttachedAdapter> {
  const { layers, replaced } = peft.state("default");
  if (adapter.modules.size === 0)
    return Promise.resolve({ layers: new Map([...layers].map(([path, [one]]) => [path, one!])), replaced, placed: new Map() });
  const host = {
    layer: (path: string) => net.layers.get(path)?.spec,
    tensor: (name: string) => parameters.get(name),
    values: (name: string) => parameters.get(name),
    names: () => parameters.keys(),
    order: () => net.layers.keys(),
  };
  return attachAdapter(adapter, host, options);
}

const namedLayers = (infos: NetMeta["layers"]): NetMeta["layers"] =>
  Object.fromEntries(Object.entries(infos).filter(([, { type }]) => type !== "Identity"));

/** Runs a case of make_peft.py over a little network: base, adapter, deltas, both merges, counts. */
export async function runNetCase(folder: string, meta: NetMeta, device: Device): Promise<Outcome> {
  const check = new Comparison(meta.tolerance);
  const tensors = await readTensors(join(folder, "case.safetensors"), device);
  const want = (name: string): Tensor => tensors.get(name)!;
  const parameters = withPrefix(tensors, "base.");
  const net = buildNet(meta.base, meta.layers, parameters);
  await check.tensors("y_base", net.forward(want("x")), want("y_base"));

  const adapter = await openAdapterFolder(folder, { methods: ADAPTER_METHODS });
  try {
    const options = { autocastAdapterDtype: meta.autocast_adapter_dtype ?? true };
    const peft = await peftOf(new NetModel(meta.base, namedLayers(meta.layers), parameters), adapter, options);
    const attached = await attachedOf(adapter, peft, net, parameters, options);
    const base = await adaptedBase(parameters, adapter, attached);
    const adapted = buildNet(meta.base, meta.layers, base);
    for (const [name, residual] of withPrefix(tensors, "residual.")) await check.tensors(`residual ${name}`, base.get(name)!, residual);

    const run = (path: string, spec: Parameters<typeof forwardBase>[0], layer: BaseLayer, x: Tensor): Tensor => {
      const a = attached.layers.get(path);
      if (spec.kind === "parameter") return a ? mergeWeight(a.method, layer.weight, a.params, a.context) : layer.weight;
      return a ? forwardAdapters(spec, layer, [a], x) : forwardBase(spec, layer, x);
    };
    await check.tensors(
      "y_adapter",
      adapted.forward(want("x"), run),
      want(meta.unmerged_equals_merged === false ? "y_merged" : "y_adapter"),
    );

    for (const [name, delta] of withPrefix(tensors, "delta.")) {
      const path = name.includes("@") ? name.replaceAll(".base_layer", "").replace("@", ".") : name;
      const { method, params, context } = attached.layers.get(path)!;
      const own = method.delta ? method.delta(params, context) : rotationMatrix(method, params, context, delta.shape[0]!);
      // PEFT's FourierFT gives ΔW of a Conv1D as [out, in], where the weight is [in, out].
      const turned = method.name === "FOURIERFT" && (context as AdapterContext<unknown>).layer.transposed;
      await check.tensors(`delta ${path}`, turned ? swapLast(own) : own, delta);
    }
    for (const [path, rotation] of withPrefix(tensors, "rot.")) {
      const { method, params, context } = attached.layers.get(path)!;
      await check.tensors(`rotation ${path}`, rotationMatrix(method, { ...params, s: ones([1]) }, context, rotation.shape[0]!), rotation);
      await check.tensors(`scale ${path}`, reshape(params["s"]!, [-1, 1]), want(`scale.${path}`));
      await check.tensors(`permutation ${path}`, butterflyIndices(params["R"]!.shape, rotation.shape[0]!), want(`perm.${path}`));
    }
    for (const [prefix, safeMerge] of [
      ["merged.", false],
      ["merged_safe.", true],
    ] as const) {
      const expected = withPrefix(tensors, prefix);
      const merged = merge(adapted, attached, safeMerge);
      for (const [name, value] of expected) await check.tensors(`${prefix}${name}`, merged.get(name)!, value);
      if (prefix !== "merged.") continue;
      if (expected.size > 0) check.shows("merge");
      await check.tensors("y_merged", buildNet(meta.base, meta.layers, merged).forward(want("x")), want("y_merged"));
      // The fixture leaves out what the merge did not change.
      for (const [name, value] of merged)
        if (!expected.has(name)) check.exact(`${name} unchanged`, await sameValues(value, parameters.get(name)!), true);
    }
    await checkSave(check, peft, adapter, folder);
    // DoRA's norms and constrained OFT's projection are constants in the backward pass, and slopes in f16 and bf16 are those of their rounding.
    // VB-LoRA's choice of the largest logits jumps. The methods' own tests have the slopes of these.
    const { useDora, coft, topk } = adapter.config.values as { useDora?: boolean; coft?: boolean; topk?: number };
    const smooth = meta.dtype === "f32" && !useDora && !coft && !topk;
    const output = (p: typeof peft): Tensor => p.forward(want("x") as never, { dropoutKey: null }) as Tensor;
    const byTorch = await checkGradients(check, peft, join(folder, "../../gradients", `${basename(folder)}.safetensors`), output);
    if (smooth && !byTorch) await checkTraining(check, peft, output);
    // PEFT keeps the rank of each AdaLoRA module as one more parameter.
    const ranks = adapter.method === "ADALORA" ? attached.layers.size : 0;
    if (meta.all_params !== undefined) check.exact("all parameters", peft.trainableParameters().all + ranks, meta.all_params);
    check.about(methodLabel(adapter), [...new Set([...attached.layers.values()].map(({ context }) => kindOf(context.layer)))]);
    check.shows("load", "forward");
    if (meta.trainable_params !== undefined) check.exact("trainable parameters", trainableCount(adapter, attached), meta.trainable_params);
  } finally {
    await adapter.weights.close();
  }
  return check.outcome();
}
