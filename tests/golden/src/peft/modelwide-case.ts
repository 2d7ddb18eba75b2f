import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { stateDict } from "@weft/registry";
import { loadPeftModel } from "@weft/registry/node";
import { compile, type Device, gradients, type Tensor } from "@weft/tensor-core";
import { Comparison, type Outcome } from "../case.js";
import { kindOf, lossOf } from "./evidence.js";
import { readTensors, withPrefix } from "./files.js";
import { checkRefused } from "./merging.js";
import { checkSave } from "./saving.js";
import { type CaseMeta, type Peft, subjectOf } from "./subject.js";

/** Runs a case of make_modelwide.py: outputs, torch's gradients, the file written again, counts; merging is refused. */
export async function runModelwideCase(folder: string, meta: CaseMeta, device: Device): Promise<Outcome> {
  const tensors = await readTensors(join(folder, "case.safetensors"), device);
  const subject = await subjectOf(folder, meta, tensors, device);
  const check = new Comparison(subject.tolerance);
  const peft: Peft = await loadPeftModel(subject.model, folder, { methods: ADAPTER_METHODS });
  const y = subject.run(peft);
  await check.tensors("y_adapter", y, tensors.get("y_adapter")!);
  const compiled = compile((input: Tensor) => subject.run(peft, { input }), { device });
  await check.tensors("y_adapter, compiled", await compiled(subject.input), tensors.get("y_adapter")!);
  compiled.dispose();
  await peft.withAdapterDisabled(() => check.tensors("y_base", subject.run(peft), tensors.get("y_base")!));
  await checkSave(check, subject, peft, folder);

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
  await checkRefused(check, subject, peft, { adapters: [{ path: folder }] });
  const kinds = [...state.layers.values()].map(([first]) => kindOf(first!.context.layer));
  check.about(state.config.peftType, kinds.length > 0 ? [...new Set(kinds)] : ["a whole model"]);
  check.shows("load", "forward", "train");
  return check.outcome();
}
