import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { detectLycoris, DYLORA, initialFactors, lycorisConfig, TLORA } from "@weft/adapters-lycoris";
import { openWeights } from "@weft/io-safetensors/node";
import { openAdapter, readTensor } from "@weft/adapter-files";
import { convertAdapter } from "@weft/convert";
import {
  type AdapterContext,
  type AdapterMethod,
  type BaseLayer,
  type Device,
  forwardBase,
  type LayerKind,
  type LayerSpec,
  matmul,
  mergeBias,
  mergeWeight,
  mul,
  type Params,
  reshape,
  sub,
  type Tensor,
} from "@weft/tensor-core";
import { Comparison, type Outcome, type Tolerance } from "../case.js";
import { checkSlope, kindOf } from "../peft/evidence.js";
import { readJson, readTensors, withPrefix } from "../peft/files.js";

interface Meta {
  readonly algo: string;
  readonly key: string;
  readonly multiplier: number;
  readonly scale: number;
  readonly tolerance: Tolerance;
  readonly kwargs: { readonly lora_dim?: number; readonly block_size?: number };
  readonly layer: {
    readonly kind: string;
    readonly weight_shape: readonly number[];
    readonly stride?: readonly number[];
    readonly padding?: readonly number[];
    readonly dilation?: readonly number[];
    readonly groups?: number;
    readonly num_groups?: number;
    readonly eps?: number;
  };
}

const CONVOLUTIONS: Readonly<Record<number, LayerKind>> = { 3: "conv1d", 4: "conv2d", 5: "conv3d" };

function layerOf({ weight_shape: shape, eps, ...info }: Meta["layer"], bias: boolean): LayerSpec {
  const common = { shape, dtype: "f32", bias } as const;
  if (info.num_groups !== undefined) return { ...common, kind: "norm", norm: { kind: "group", eps: eps!, groups: info.num_groups } };
  if (shape.length === 1) return { ...common, kind: "norm", norm: { kind: "layer", eps: eps! } };
  if (shape.length === 2) return { ...common, kind: "linear" };
  const conv = { stride: info.stride!, padding: info.padding!, dilation: info.dilation!, groups: info.groups! };
  return { ...common, kind: CONVOLUTIONS[shape.length]!, conv };
}

/** A module out of a file: the method that its tensors are of, its config for the layer and its parameters. */
interface Module {
  readonly method: AdapterMethod<never>;
  readonly config: never;
  readonly params: Params;
}

async function readModule(path: string, key: string, layer: LayerSpec, device: Device): Promise<Module> {
  const source = await openWeights(path);
  try {
    const suffixes = [...source.names()].map((name) => name.slice(key.length + 1));
    const detected = detectLycoris(new Map(suffixes.map((suffix) => [suffix, source.info(`${key}.${suffix}`)])))!;
    const { method, scalars } = detected;
    const numbers = await Promise.all(scalars.map(async (suffix) => [suffix, await scalar(source, `${key}.${suffix}`, device)] as const));
    const entries = Object.entries(detected.params).map(
      async ([name, suffix]) => [name, await readTensor(source, `${key}.${suffix}`, { device })] as const,
    );
    const params = Object.fromEntries(await Promise.all(entries));
    const shapes = Object.fromEntries(Object.entries(params).map(([name, { shape }]) => [name, shape]));
    const config = method.configFromShapes!(detected.config(Object.fromEntries(numbers)), layer, shapes);
    return { method, config, params };
  } finally {
    await source.close();
  }
}

async function scalar(source: Awaited<ReturnType<typeof openWeights>>, name: string, device: Device): Promise<number> {
  if (source.info(name).dtype !== "I64") return (await (await readTensor(source, name, { device })).data())[0]!;
  const { data } = await source.read(name);
  return Number(new DataView(data.buffer, data.byteOffset).getBigInt64(0, true));
}

/** What a module changes in the weight. */
function change({ method, params }: Module, weight: Tensor, context: AdapterContext<never>): Tensor {
  const moved = method.transform?.(weight, params, context, weight);
  return moved ? sub(moved, weight) : method.delta!(params, context);
}

/** P·diag(λ)·Q. */
const product = (p: Tensor, l: Tensor, q: Tensor): Tensor => matmul(mul(reshape(p, [p.shape[0]!, -1]), l), reshape(q, [q.shape[0]!, -1]));

/** T-LoRA's files lack the factors that training began with: found again from the base, and compared with the library's. */
async function withInitial(
  module: Module,
  layer: LayerSpec,
  weight: Tensor,
  tensors: ReadonlyMap<string, Tensor>,
  check: Comparison,
): Promise<Module> {
  const config = module.config as Parameters<typeof initialFactors>[0];
  const initial = await initialFactors(config, layer, weight);
  await check.tensors(
    "the initial factors",
    product(initial.p0!, initial.lambda0!, initial.q0!),
    product(tensors.get("base_p")!, tensors.get("base_lambda")!, tensors.get("base_q")!),
  );
  return { ...module, config: { ...config, hasInitial: true } as never, params: { ...module.params, ...initial } };
}

/** DyLoRA trained on one of its blocks of ranks. */
async function checkBlocks(
  module: Module,
  { kwargs }: Meta,
  layer: LayerSpec,
  tensors: ReadonlyMap<string, Tensor>,
  check: Comparison,
): Promise<void> {
  const { r, alpha } = module.config as { readonly r: number; readonly alpha: number };
  const blockSize = kwargs.block_size!;
  for (const [rank, delta] of withPrefix(tensors, "train_delta_rank")) {
    const config = { ...lycorisConfig<object>(DYLORA, { r, alpha, blockSize }), activeBlock: Number(rank) / blockSize } as never;
    await check.tensors(`training delta at rank ${rank}`, DYLORA.delta!(module.params, { layer, config, scale: 1 }), delta);
  }
}

/** Writes the file again: the same names and bytes, but for alpha, which is in f32 and says the scale where the original has no use for it. */
async function checkSave(path: string, check: Comparison): Promise<void> {
  const source = await openWeights(path);
  const { files } = await convertAdapter(await openAdapter({ weights: source }, { methods: ADAPTER_METHODS }), { to: "lycoris" });
  const { tensors } = files[0]!;
  check.exact("saved names", [...tensors.keys()].toSorted(), [...source.names()].toSorted());
  for (const name of [...source.names()].filter((n) => !n.endsWith(".alpha"))) {
    const [got, want] = [tensors.get(name)!, await source.read(name)];
    check.exact(`saved ${name}`, got.dtype === want.dtype && Buffer.compare(await got.read(), want.data) === 0, true);
  }
  await source.close();
  check.shows("save");
}

/**
 * Runs a case of the modules: from the file and the base weight alone the change, the layer's result at strength 1 and at the multiplier,
 * merged and unmerged.
 */
export async function runModuleCase(folder: string, device: Device): Promise<Outcome> {
  const meta = readJson<Meta>(folder, "case.json");
  const check = new Comparison(meta.tolerance);
  const tensors = await readTensors(join(folder, "tensors.safetensors"), device);
  const want = (name: string): Tensor => tensors.get(name)!;
  const base: BaseLayer = { weight: want("weight"), bias: tensors.get("bias") };
  const layer = layerOf(meta.layer, base.bias !== undefined);
  await check.tensors("y_base", forwardBase(layer, base, want("x")), want("y_base"));

  const read = await readModule(join(folder, "adapter.safetensors"), meta.key, layer, device);
  const module = read.method.name === TLORA.name ? await withInitial(read, layer, base.weight, tensors, check) : read;
  const { method, config, params } = module;
  const at = (scale: number): AdapterContext<never> => ({ layer, config, scale });
  const fromFile = tensors.get("file_delta_weight");
  await check.tensors("delta", change(module, base.weight, at(1)), fromFile ?? want("delta_weight"));
  if (tensors.has("delta_bias")) await check.tensors("bias delta", method.biasDelta!(params, at(1))!, want("delta_bias"));
  // A scale that LyCORIS trained with and no file holds is part of the strength.
  const lost = fromFile ? meta.scale : 1;
  for (const [name, strength] of [
    ["y", lost],
    ["y_multiplier", meta.multiplier * lost],
  ] as const) {
    const context = at(strength);
    await check.tensors(name, method.forward(want("x"), base, params, context), want(name));
    const merged = { weight: mergeWeight(method, base.weight, params, context), bias: mergeBias(method, base.bias, params, context) };
    await check.tensors(`${name} merged`, forwardBase(layer, merged, want("x")), want(name));
  }
  await checkSave(join(folder, "adapter.safetensors"), check);
  if (meta.algo === "dylora") await checkBlocks(module, meta, layer, tensors, check);
  check.about(`LyCORIS ${meta.algo}${params.doraScale ? ", DoRA" : ""}`, [kindOf(layer)]);
  check.shows("load", "forward", "merge");
  // DoRA's norm is a constant in the backward pass, a constraint is at a kink where it holds, and the place of (IA)³ is a whole number.
  const trained = Object.fromEntries(
    Object.entries(method.parameters(config, layer)).flatMap(([name, spec]) => (spec.trainable ? [[name, params[name]!] as const] : [])),
  );
  const smooth = !params.doraScale && !(config as { readonly constraint?: number }).constraint;
  if (smooth) await checkSlope(check, { module: trained }, (p) => method.forward(want("x"), base, { ...params, ...p.module }, at(1)));
  return check.outcome();
}
