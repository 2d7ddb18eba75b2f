import { basename, join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { loraVariant } from "@weft/adapters-lora";
import { loadPeftModel } from "@weft/registry/node";
import { type AdapterContext, type Attached, compile, type Device, ones, reshape, swapLast, type Tensor } from "@weft/tensor-core";
import { Comparison, type Outcome } from "../case.js";
import { checkGradients, checkTraining, kindOf } from "./evidence.js";
import { readTensors, withPrefix } from "./files.js";
import { checkCheckpointMerge, checkMerge, checkRefused, refuses } from "./merging.js";
import { butterflyIndices, rotationMatrix } from "./rotations.js";
import { checkSave } from "./saving.js";
import { type CaseMeta, type Peft, type Subject, subjectOf } from "./subject.js";

/** A method as the tables call it: `LORA`, or `LORA, DoRA`. */
function methodLabel(peft: Peft): string {
  const { peftType, values } = peft.state("default").config;
  const { useDora, aloraInvocationTokens } = values as { readonly useDora?: boolean; readonly aloraInvocationTokens?: unknown };
  if (aloraInvocationTokens) return `${peftType}, aLoRA`;
  const variant = useDora ? "DoRA" : peftType === "LORA" && loraVariant(values as never)?.name;
  return variant ? `${peftType}, ${variant}` : peftType;
}

/** The methods of a model's layers by path, without trained tokens beside them. */
function layersOf(peft: Peft): Map<string, Attached> {
  const { layers, config } = peft.state("default");
  const own = (one: Attached): boolean => one.method.name !== "TRAINABLE_TOKENS" || config.peftType === "TRAINABLE_TOKENS";
  return new Map([...layers].flatMap(([path, attached]) => attached.filter(own).map((one) => [path, one] as const)));
}

type Tensors = ReadonlyMap<string, Tensor>;

/** What layers make of their parameters, which a model's output does not show one by one. */
async function checkLayers(check: Comparison, { model }: Subject, peft: Peft, tensors: Tensors): Promise<void> {
  const { expected } = peft.state("default");
  for (const [name, residual] of withPrefix(tensors, "residual."))
    await check.tensors(`residual ${name}`, expected.get(name) ?? model.weights.get(name)!, residual);
  const layers = layersOf(peft);
  for (const [name, delta] of withPrefix(tensors, "delta.")) {
    const path = name.includes("@") ? name.replaceAll(".base_layer", "").replace("@", ".") : name;
    const { method, params, context } = layers.get(path)!;
    const own = method.delta ? method.delta(params, context) : rotationMatrix(method, params, context, delta.shape[0]!);
    // PEFT's FourierFT gives ΔW of a Conv1D as [out, in], where the weight is [in, out].
    const turned = method.name === "FOURIERFT" && (context as AdapterContext<unknown>).layer.transposed;
    await check.tensors(`delta ${path}`, turned ? swapLast(own) : own, delta);
  }
  for (const [path, rotation] of withPrefix(tensors, "rot.")) {
    const { method, params, context } = layers.get(path)!;
    await check.tensors(`rotation ${path}`, rotationMatrix(method, { ...params, s: ones([1]) }, context, rotation.shape[0]!), rotation);
    await check.tensors(`scale ${path}`, reshape(params["s"]!, [-1, 1]), tensors.get(`scale.${path}`)!);
    await check.tensors(`permutation ${path}`, butterflyIndices(params["R"]!.shape, rotation.shape[0]!), tensors.get(`perm.${path}`)!);
  }
}

/** Merged as PEFT merges, plainly and safely, in a model and in a checkpoint; or refused, where PEFT did not. */
async function checkMerges(
  check: Comparison,
  subject: Subject,
  peft: Peft,
  tensors: Tensors,
  folder: string,
  meta: CaseMeta,
): Promise<void> {
  const merge = { adapters: [{ path: folder }], autocastAdapterDtype: meta.autocast_adapter_dtype ?? true };
  if (!tensors.has("y_merged")) return checkRefused(check, subject, peft, merge);
  const weights = withPrefix(tensors, "merged.");
  const safe = withPrefix(tensors, "merged_safe.");
  const expected = { weights, output: tensors.get("y_merged")! };
  await checkMerge(check, subject, peft, expected);
  if (safe.size > 0) await checkMerge(check, subject, peft, { weights: safe }, true);
  if (subject.checkpoint === undefined && needsModel(peft))
    check.exact("merging without the model is refused", await refuses(() => checkCheckpointMerge(check, subject, merge, expected)), true);
  else {
    await checkCheckpointMerge(check, subject, merge, expected);
    if (safe.size > 0) await checkCheckpointMerge(check, subject, { ...merge, safeMerge: true }, { weights: safe });
  }
  if (weights.size > 0) check.shows("merge");
}

/** Whether parameters follow from the order of the model's modules, which a checkpoint of no known architecture does not tell. */
function needsModel(peft: Peft): boolean {
  const { peftType, values } = peft.state("default").config;
  const { saveIndices, saveProjection } = values as { readonly saveIndices?: boolean; readonly saveProjection?: boolean };
  return saveIndices === false || (peftType === "TINYLORA" && saveProjection === false);
}

/** Runs a case of make_peft.py or make_variants.py whose adapter is on layers, as a program uses it: loaded, run, merged, saved, trained, counted. */
export async function runLayersCase(folder: string, meta: CaseMeta, device: Device): Promise<Outcome> {
  const tensors = await readTensors(join(folder, "case.safetensors"), device);
  const subject = await subjectOf(folder, meta, tensors, device);
  const check = new Comparison(subject.tolerance);
  const want = (name: string): Tensor => tensors.get(name)!;
  await check.tensors("y_base", subject.run(subject.model), want("y_base"));

  const autocastAdapterDtype = meta.autocast_adapter_dtype ?? true;
  const peft: Peft = await loadPeftModel(subject.model, folder, { methods: ADAPTER_METHODS, autocastAdapterDtype });
  await check.tensors("y_adapter", subject.run(peft), want(meta.unmerged_equals_merged === false ? "y_merged" : "y_adapter"));
  await peft.withAdapterDisabled(() => check.tensors("y_base, adapter disabled", subject.run(peft), want("y_base")));
  if (tensors.has("y_adapter_nomask")) {
    const compiled = compile((input: Tensor) => subject.run(peft, { input, masked: false }), { device });
    await check.tensors("y_adapter_nomask, compiled", await compiled(subject.input), want("y_adapter_nomask"));
    compiled.dispose();
  }
  const label = methodLabel(peft);
  check.about(label, [...new Set([...layersOf(peft).values()].map(({ context }) => kindOf(context.layer)))]);
  check.shows("load", "forward");
  await checkLayers(check, subject, peft, tensors);
  await checkMerges(check, subject, peft, tensors, folder, meta);
  await checkSave(check, subject, peft, folder, autocastAdapterDtype);
  // DoRA's norms and constrained OFT's projection are constants in the backward pass, and slopes in f16 and bf16 are those of their rounding.
  // VB-LoRA's choice of the largest logits jumps. The methods' own tests have the slopes of these.
  const { useDora, coft, topk } = peft.state("default").config.values as { useDora?: boolean; coft?: boolean; topk?: number };
  const smooth = (meta.dtype ?? "f32") === "f32" && !useDora && !coft && !topk;
  const output = (p: Peft): Tensor => subject.run(p, { dropoutKey: null });
  const byTorch = await checkGradients(check, peft, join(folder, "../../gradients", `${basename(folder)}.safetensors`), output);
  if (smooth && !byTorch) await checkTraining(check, peft, output);
  const { trainable, all } = peft.trainableParameters();
  // PEFT keeps the rank of each AdaLoRA module as one more parameter.
  const ranks = label === "ADALORA" ? layersOf(peft).size : 0;
  if (meta.trainable_params !== undefined) check.exact("trainable parameters", trainable, meta.trainable_params);
  if (meta.all_params !== undefined) check.exact("all parameters", all + ranks, meta.all_params);
  return check.outcome();
}
