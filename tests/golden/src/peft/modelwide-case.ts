import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { openWeights } from "@weft/io-safetensors/node";
import { LlamaForCausalLM } from "@weft/models";
import { type HookedModel, PeftModel, stateDict } from "@weft/registry";
import { openAdapterFolder } from "@weft/adapter-files/node";
import { loadAdapter } from "@weft/registry/node";
import { CapabilityError, compile, type Device, gradients, type Tensor } from "@weft/tensor-core";
import { Comparison, type Outcome } from "../case.js";
import { checkSave, kindOf, lossOf } from "./evidence.js";
import { readJson, readTensors, withPrefix } from "./files.js";
import type { NetMeta } from "./net-case.js";
import { NetModel } from "./net-model.js";

type Model = HookedModel<unknown, unknown>;
type Peft = PeftModel<unknown, unknown>;

/** A case of make_modelwide.py: a model, and its output with adapters. */
export interface ModelwideSubject {
  readonly model: Model;
  run(peft: Peft, input: Tensor): Tensor;
  /** What `run` takes. */
  readonly input: Tensor;
}

/** The model of a case, and how it is run. */
export async function modelwideSubject(folder: string, meta: NetMeta, device: Device): Promise<ModelwideSubject> {
  const tensors = await readTensors(join(folder, "case.safetensors"), device);
  const taskIds = tensors.get("task_ids");
  const options = taskIds ? { taskIds } : {};
  if (!meta.base.endsWith("_base"))
    return {
      model: new NetModel(meta.base, meta.layers, withPrefix(tensors, "base.")) as unknown as Model,
      run: (peft, x) => peft.forward(x, options) as Tensor,
      input: tensors.get("x")!,
    };
  const home = join(folder, "..", meta.base);
  const source = await openWeights(home);
  const model = await LlamaForCausalLM.load(readJson(home, "config.json"), source, { device });
  await source.close();
  const attentionMask = tensors.get("mask")!;
  return {
    model: model as unknown as Model,
    run: (peft, inputIds) => (peft.forward({ inputIds, attentionMask }, options) as { logits: Tensor }).logits,
    input: tensors.get("ids")!,
  };
}

/** Whether merging is refused as beyond what the method can do. */
function refusesMerge(peft: Peft): boolean {
  try {
    peft.mergeAndUnload();
    return false;
  } catch (error) {
    return error instanceof CapabilityError;
  }
}

/** Runs a case of make_modelwide.py: outputs, torch's gradients, the file written again, counts; merging is refused. */
export async function runModelwideCase(folder: string, meta: NetMeta, device: Device): Promise<Outcome> {
  const check = new Comparison(meta.tolerance);
  const tensors = await readTensors(join(folder, "case.safetensors"), device);
  const { model, run, input } = await modelwideSubject(folder, meta, device);
  const peft = new PeftModel(model, ADAPTER_METHODS);
  await loadAdapter(peft as never, folder, "default");
  const y = run(peft, input);
  await check.tensors("y_adapter", y, tensors.get("y_adapter")!);
  const compiled = compile((x: Tensor) => run(peft, x), { device });
  await check.tensors("y_adapter, compiled", await compiled(input), tensors.get("y_adapter")!);
  compiled.dispose();
  await peft.withAdapterDisabled(async () => check.tensors("y_base", run(peft, input), tensors.get("y_base")!));
  const adapter = await openAdapterFolder(folder, { methods: ADAPTER_METHODS });
  try {
    await checkSave(check, peft as never, adapter, folder);
  } finally {
    await adapter.weights.close();
  }

  const state = peft.state("default");
  const names = new Map([...stateDict(state)].toReversed().map(([name, t]) => [t, name]));
  const { layers, shared, replaced, prompt } = peft.parameters();
  const trained = [...Object.values(layers), shared, replaced, prompt].flatMap((params) => Object.values(params));
  const slopes = gradients(lossOf(y), trained);
  const wanted = withPrefix(tensors, "grad.");
  check.exact("trained parameters", trained.map((t) => names.get(t)).toSorted(), [...wanted.keys()].toSorted());
  for (const [i, t] of trained.entries()) await check.tensors(`gradient of ${names.get(t)}`, slopes[i]!, wanted.get(names.get(t)!)!);
  const { trainable, all } = peft.trainableParameters();
  check.exact("trainable parameters", trainable, meta.trainable_params);
  check.exact("all parameters", all, meta.all_params);
  check.exact("merging is refused", refusesMerge(peft), true);
  const kinds = [...state.layers.values()].map(([first]) => kindOf(first!.context.layer));
  check.about(state.config.peftType, kinds.length > 0 ? [...new Set(kinds)] : ["a whole model"]);
  check.shows("load", "forward", "train");
  return check.outcome();
}
