import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { DYLORA, initialFactors, lycorisConfig, TLORA } from "@weft/adapters-lycoris";
import { openWeights, writeSafetensorsFile } from "@weft/io-safetensors/node";
import { openAdapter } from "@weft/adapter-files";
import { convertAdapter } from "@weft/convert";
import { loadPeftModel, savePretrained } from "@weft/registry/node";
import {
  type AdapterContext,
  type Attached,
  type Device,
  type LayerKind,
  type LayerSpec,
  matmul,
  mul,
  reshape,
  sub,
  type Tensor,
  zeros,
} from "@weft/tensor-core";
import { Comparison, type Outcome } from "../case.js";
import { withFolder } from "../folder.js";
import { checkTraining, kindOf } from "../peft/evidence.js";
import { readJson, readTensors, withPrefix } from "../peft/files.js";
import { bytesOf, checkMerge, mergedCheckpoint, refuses } from "../peft/merging.js";
import type { Model, Peft, Subject } from "../peft/subject.js";
import { computationOf, toleranceOf } from "../tolerance.js";
import { LayerModel } from "./layer-model.js";

interface Meta {
  readonly algo: string;
  readonly key: string;
  readonly multiplier: number;
  readonly scale: number;
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

function layerOf({ weight_shape: shape, eps, ...info }: Meta["layer"]): Omit<LayerSpec, "bias"> {
  const common = { shape, dtype: "f32" } as const;
  if (info.num_groups !== undefined) return { ...common, kind: "norm", norm: { kind: "group", eps: eps!, groups: info.num_groups } };
  if (shape.length === 1) return { ...common, kind: "norm", norm: { kind: "layer", eps: eps! } };
  if (shape.length === 2) return { ...common, kind: "linear" };
  const conv = { stride: info.stride!, padding: info.padding!, dilation: info.dilation!, groups: info.groups! };
  return { ...common, kind: CONVOLUTIONS[shape.length]!, conv };
}

/** The only layer's adapter. */
const attachedOf = (peft: Peft): Attached => [...peft.state("default").layers.values()][0]![0]!;

/** Puts something else in the place of the only layer's adapter. */
function replace(peft: Peft, change: (attached: Attached) => Attached): void {
  const state = peft.state("default");
  const layers = [...state.layers].map(([path, [one]]) => [path, [change(one!)]] as const);
  peft.setState({ ...state, layers: new Map(layers) });
}

const setStrength = (peft: Peft, scale: number): void =>
  replace(peft, (one) => ({ ...one, context: { ...(one.context as AdapterContext<unknown>), scale } as never }));

/** P·diag(λ)·Q. */
const product = (p: Tensor, l: Tensor, q: Tensor): Tensor => matmul(mul(reshape(p, [p.shape[0]!, -1]), l), reshape(q, [q.shape[0]!, -1]));

/** T-LoRA's files lack the factors that training began with: found again from the base, and compared with the library's. */
async function addInitial(check: Comparison, peft: Peft, weight: Tensor, tensors: ReadonlyMap<string, Tensor>): Promise<void> {
  const { layer, config } = attachedOf(peft).context as AdapterContext<Parameters<typeof initialFactors>[0]>;
  const initial = await initialFactors(config, layer, weight);
  await check.tensors(
    "the initial factors",
    product(initial.p0!, initial.lambda0!, initial.q0!),
    product(tensors.get("base_p")!, tensors.get("base_lambda")!, tensors.get("base_q")!),
  );
  replace(peft, (one) => ({
    ...one,
    params: { ...one.params, ...initial },
    context: { ...(one.context as object), config: { ...config, hasInitial: true } } as never,
  }));
}

/** DyLoRA trained on one of its blocks of ranks. */
async function checkBlocks(check: Comparison, peft: Peft, { kwargs }: Meta, tensors: ReadonlyMap<string, Tensor>): Promise<void> {
  const { params, context } = attachedOf(peft);
  const { layer, config } = context as AdapterContext<{ readonly r: number; readonly alpha: number }>;
  const blockSize = kwargs.block_size!;
  for (const [rank, delta] of withPrefix(tensors, "train_delta_rank")) {
    const { r, alpha } = config;
    const block = { ...lycorisConfig<object>(DYLORA, { r, alpha, blockSize }), activeBlock: Number(rank) / blockSize } as never;
    await check.tensors(`training delta at rank ${rank}`, DYLORA.delta!(params, { layer, config: block, scale: 1 }), delta);
  }
}

/**
 * PEFT's folders do not hold it. Written as LyCORIS's it has the same names and bytes, but for alpha, which is in f32 and says the scale where the original
 * has no use for it; and the layer computes the same with what was written.
 */
async function checkSave(check: Comparison, { model, run }: Subject, peft: Peft, path: string): Promise<void> {
  await withFolder(async (out) => {
    check.exact("saving for PEFT is refused", await refuses(() => savePretrained(peft as never, out)), true);
    const source = await openWeights(path);
    const { files } = await convertAdapter(await openAdapter({ weights: source }, { methods: ADAPTER_METHODS }), { to: "lycoris" });
    const { tensors, metadata } = files[0]!;
    check.exact("saved names", [...tensors.keys()].toSorted(), [...source.names()].toSorted());
    const entries = [];
    for (const [name, { dtype, shape, read }] of tensors) {
      const [data, want] = [await read(), await source.read(name)];
      entries.push({ name, dtype, shape, data });
      if (name.endsWith(".alpha")) continue;
      check.exact(`saved dtype of ${name}`, dtype, want.dtype);
      check.bytes(`saved ${name}`, data, want.data);
    }
    await source.close();
    const file = join(out, "adapter.safetensors");
    await writeSafetensorsFile(file, entries, { metadata: new Map(metadata) });
    const again: Peft = await loadPeftModel(model, file, { methods: ADAPTER_METHODS });
    check.exact("saved method", attachedOf(again).method.name, attachedOf(peft).method.name);
    if (attachedOf(peft).method.name !== TLORA.name)
      check.bytes("y of what was saved", await bytesOf(run(again)), await bytesOf(run(peft)));
  });
  check.shows("save");
}

/**
 * Runs a case of the modules: from the file and the base weight alone the change, the layer's result at strength 1 and at the multiplier, unmerged, merged
 * in a model, and merged into a checkpoint.
 */
export async function runModuleCase(folder: string, device: Device): Promise<Outcome> {
  const meta = readJson<Meta>(folder, "case.json");
  const tensors = await readTensors(join(folder, "tensors.safetensors"), device);
  const want = (name: string): Tensor => tensors.get(name)!;
  // LyCORIS writes paths with underscores.
  const path = meta.key.replace(/^lycoris_/, "").replaceAll("_", ".");
  const [weightName, biasName] = [`${path}.weight`, `${path}.bias`];
  const weights = new Map([[weightName, want("weight")]]);
  if (tensors.has("bias")) weights.set(biasName, want("bias"));
  // Half of a checkpoint's names may have "lora" in them; one of which more have is taken for an adapter.
  for (const name of ["scale", "shift"]) weights.set(`blocks.0.${name}`, zeros([1]));
  const model = new LayerModel(weights, () => layerOf(meta.layer));
  const subject: Subject = {
    model: model as unknown as Model,
    input: want("x"),
    run: (on, { input = want("x"), dropoutKey } = {}) =>
      on.forward(input, (dropoutKey === undefined ? undefined : { dropoutKey }) as never) as Tensor,
    tolerance: toleranceOf(computationOf(model.layers())),
  };
  const check = new Comparison(subject.tolerance);
  await check.tensors("y_base", subject.run(subject.model), want("y_base"));

  const file = join(folder, "adapter.safetensors");
  const peft: Peft = await loadPeftModel(subject.model, file, { methods: ADAPTER_METHODS });
  const complete = attachedOf(peft).method.name !== TLORA.name;
  if (!complete) await addInitial(check, peft, want("weight"), tensors);
  const fromFile = tensors.get("file_delta_weight");
  const changed = (merged: ReadonlyMap<string, Tensor>, name: string): Tensor => sub(merged.get(name)!, weights.get(name)!);
  const { weights: whole } = peft.mergeAndUnload();
  await check.tensors("delta", changed(whole, weightName), fromFile ?? want("delta_weight"));
  if (tensors.has("delta_bias")) await check.tensors("bias delta", changed(whole, biasName), want("delta_bias"));
  // A scale that LyCORIS trained with and no file holds is part of the strength.
  const lost = fromFile ? meta.scale : 1;
  for (const [name, strength] of [
    ["y", lost],
    ["y_multiplier", meta.multiplier * lost],
  ] as const) {
    setStrength(peft, strength);
    await check.tensors(name, subject.run(peft), want(name));
    await checkMerge(check, subject, peft, { weights: peft.mergeAndUnload().weights, output: want(name) });
    const merge = { adapters: [{ path: file, scale: strength }] };
    if (complete) {
      const written = subject.model.withWeights(await mergedCheckpoint(subject, merge));
      await check.tensors(`${name}, merged into a checkpoint`, subject.run(written), want(name));
    } else check.exact("merging what lacks its initial factors is refused", await refuses(() => mergedCheckpoint(subject, merge)), true);
  }
  setStrength(peft, 1);
  await checkSave(check, subject, peft, file);
  if (meta.algo === "dylora") await checkBlocks(check, peft, meta, tensors);
  const { params, context } = attachedOf(peft);
  const { layer, config } = context as AdapterContext<{ readonly constraint?: number }>;
  check.about(`LyCORIS ${meta.algo}${params.doraScale ? ", DoRA" : ""}`, [kindOf(layer)]);
  check.shows("load", "forward", "merge");
  // DoRA's norm is a constant in the backward pass, a constraint is at a kink where it holds, and the place of (IA)³ is a whole number.
  if (!params.doraScale && !config.constraint) await checkTraining(check, peft, (p) => subject.run(p, { dropoutKey: null }));
  return check.outcome();
}
