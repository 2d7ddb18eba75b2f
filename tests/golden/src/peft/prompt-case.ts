import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { promptOf, withPrompt } from "@weft/adapters-prompt";
import { openWeights } from "@weft/io-safetensors/node";
import { LlamaForCausalLM } from "@weft/models";
import { type AttachedPrompt, attachPrompt } from "@weft/registry";
import { openAdapterFolder } from "@weft/adapter-files/node";
import { compile, type Device, type Tensor } from "@weft/tensor-core";
import { Comparison, type Outcome } from "../case.js";
import { checkSave, checkTraining, peftOf } from "./evidence.js";
import { readJson, readTensors, withPrefix } from "./files.js";

/** The parameters that training has, other than those that are frozen. */
function trainableCount({ method, config }: AttachedPrompt): number {
  const count = ({ shape }: { readonly shape: readonly number[] }): number => shape.reduce((a, b) => a * b, 1);
  return Object.values(method.parameters(config)).reduce((total, spec) => total + (spec.trainable ? count(spec) : 0), 0);
}

/**
 * Runs a prompt case of make_peft.py over the tiny Llama: what the encoder gives against what is saved, logits from the file and from the encoder,
 * with and without mask.
 */
export async function runPromptCase(
  folder: string,
  home: string,
  meta: { readonly tolerance: number; readonly trainable_params?: number },
  device: Device,
): Promise<Outcome> {
  const check = new Comparison(meta.tolerance);
  const tensors = await readTensors(join(folder, "case.safetensors"), device);
  const [inputIds, attentionMask] = [tensors.get("ids")!, tensors.get("mask")!];
  const source = await openWeights(home);
  const model = await LlamaForCausalLM.load(readJson(home, "config.json"), source, { device });
  await source.close();
  await check.tensors("y_base", model.forward({ inputIds, attentionMask }).logits, tensors.get("y_base")!);

  const adapter = await openAdapterFolder(folder, { methods: ADAPTER_METHODS });
  try {
    const attached = await attachPrompt(adapter, {
      sizes: model.config,
      tensor: (name) => model.weights.get(name),
      names: () => model.weights.keys(),
    });
    const base = model.withWeights(attached.replaced);
    const { method, config, saved } = attached;
    const encoded = method.encode(Object.fromEntries(withPrefix(tensors, "encoder.")), config);
    await check.tensors("prompt of the encoder", encoded["prompt_embeddings"]!, tensors.get("prompt")!);
    await check.tensors("prompt of the file", saved["prompt_embeddings"]!, tensors.get("prompt")!);
    for (const [from, prompt] of [
      ["file", attached.prompt()],
      ["encoder", promptOf(method, config, encoded)],
    ] as const) {
      const logits = (ids: Tensor, mask?: Tensor): Tensor =>
        base.forward(withPrompt(prompt, { inputIds: ids, attentionMask: mask })).logits;
      await check.tensors(`y_adapter, ${from}`, logits(inputIds, attentionMask), tensors.get("y_adapter")!);
      const masked = compile((ids: Tensor, mask: Tensor) => logits(ids, mask), { device });
      await check.tensors(`y_adapter, ${from}, compiled`, await masked(inputIds, attentionMask), tensors.get("y_adapter")!);
      masked.dispose();
      const plain = compile((ids: Tensor) => logits(ids), { device });
      await check.tensors(`y_adapter_nomask, ${from}, compiled`, await plain(inputIds), tensors.get("y_adapter_nomask")!);
      plain.dispose();
    }
    check.about(adapter.method, ["a whole model"]);
    check.shows("load", "forward");
    const peft = await peftOf(model as never, adapter);
    await checkSave(check, peft, adapter, folder);
    const run = (p: typeof peft): Tensor =>
      (p.forward({ inputIds, attentionMask } as never, { dropoutKey: null }) as { logits: Tensor }).logits;
    if (peft.state("default").prompt!.trained) await checkTraining(check, peft, run);
    if (meta.trainable_params !== undefined) check.exact("trainable parameters", trainableCount(attached), meta.trainable_params);
  } finally {
    await adapter.weights.close();
  }
  return check.outcome();
}
