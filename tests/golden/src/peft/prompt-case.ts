import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { loadPeftModel } from "@weft/registry/node";
import { compile, type Device, type Tensor } from "@weft/tensor-core";
import { Comparison, type Outcome } from "../case.js";
import { checkTraining } from "./evidence.js";
import { readTensors, withPrefix } from "./files.js";
import { checkRefused } from "./merging.js";
import { checkSave } from "./saving.js";
import { type CaseMeta, type Peft, subjectOf } from "./subject.js";

/**
 * Runs a prompt case of make_peft.py over the tiny Llama: what the encoder gives against what is saved, logits from the file and from the encoder,
 * with and without mask.
 */
export async function runPromptCase(folder: string, meta: CaseMeta, device: Device): Promise<Outcome> {
  const tensors = await readTensors(join(folder, "case.safetensors"), device);
  const subject = await subjectOf(folder, meta, tensors, device);
  const check = new Comparison(subject.tolerance);
  const want = (name: string): Tensor => tensors.get(name)!;
  await check.tensors("y_base", subject.run(subject.model), want("y_base"));

  const peft: Peft = await loadPeftModel(subject.model, folder, { methods: ADAPTER_METHODS });
  const state = peft.state("default");
  const { method, config, saved, trained } = state.prompt!;
  const encoder = Object.fromEntries(withPrefix(tensors, "encoder."));
  const encoded = method.encode(encoder, config);
  await check.tensors("prompt of the encoder", encoded["prompt_embeddings"]!, want("prompt"));
  await check.tensors("prompt of the file", saved["prompt_embeddings"]!, want("prompt"));
  const ofEncoder: Peft = await loadPeftModel(subject.model, folder, { methods: ADAPTER_METHODS });
  ofEncoder.setState({ ...state, prompt: { ...state.prompt!, saved: encoded, trained: encoder } });
  for (const [from, on] of [
    ["file", peft],
    ["encoder", ofEncoder],
  ] as const) {
    await check.tensors(`y_adapter, ${from}`, subject.run(on), want("y_adapter"));
    for (const [name, masked] of [
      ["y_adapter", true],
      ["y_adapter_nomask", false],
    ] as const) {
      const compiled = compile((input: Tensor) => subject.run(on, { input, masked }), { device });
      await check.tensors(`${name}, ${from}, compiled`, await compiled(subject.input), want(name));
      compiled.dispose();
    }
  }
  await peft.withAdapterDisabled(() => check.tensors("y_base, adapter disabled", subject.run(peft), want("y_base")));
  check.about(state.config.peftType, ["a whole model"]);
  check.shows("load", "forward");
  await checkRefused(check, subject, peft, { adapters: [{ path: folder }] });
  await checkSave(check, subject, peft, folder);
  if (trained) await checkTraining(check, peft, (p) => subject.run(p, { dropoutKey: null }));
  // A file may not tell the encoder, which is trained.
  if (meta.trainable_params !== undefined)
    check.exact("trainable parameters", ofEncoder.trainableParameters().trainable, meta.trainable_params);
  return check.outcome();
}
