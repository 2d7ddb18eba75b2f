import { join } from "node:path";
import { openWeights } from "@weft/io-safetensors/node";
import { LlamaForCausalLM } from "@weft/models";
import { type ForwardOptions, type HookedModel, PeftModel } from "@weft/registry";
import type { Device, DType, Tensor } from "@weft/tensor-core";
import { computationOf, toleranceOf } from "../tolerance.js";
import { readJson, withPrefix } from "./files.js";
import { NetModel } from "./net-model.js";
import type { LayerInfo } from "./nets.js";

export type Model = HookedModel<unknown, unknown>;
export type Peft = PeftModel<unknown, unknown>;

/** `case.json` of a case over a model. */
export interface CaseMeta {
  readonly dtype?: DType;
  /** One of the little networks, or a folder beside the case. */
  readonly base: string;
  readonly trainable_params?: number;
  readonly all_params?: number;
  /** False where PEFT read the adapter with `autocast_adapter_dtype=False`. */
  readonly autocast_adapter_dtype?: boolean;
  /** False where PEFT's unmerged forward is wrong (OFT on a convolution): ours gives what the merged weight gives. */
  readonly unmerged_equals_merged?: boolean;
  /** Of a little network. */
  readonly layers: { readonly [name: string]: LayerInfo };
}

/** How a case's model is run. */
export interface RunOptions extends Pick<ForwardOptions, "dropoutKey"> {
  /** Instead of the case's. */
  readonly input?: Tensor;
  /** False: without the attention mask that a case of a language model has. */
  readonly masked?: boolean;
}

/** What a case's adapter is on. */
export interface Subject {
  readonly model: Model;
  /** x, or token ids. */
  readonly input: Tensor;
  /** The output of the model, with adapters or without. */
  run(on: Model | Peft, options?: RunOptions): Tensor;
  readonly tolerance: number;
  /** The checkpoint that the model was read from; a little network has none. */
  readonly checkpoint?: string;
}

const isPeft = (on: Model | Peft): on is Peft => on instanceof PeftModel;

/** The model of a case, and how it is run. @param tensors the case's */
export async function subjectOf(folder: string, meta: CaseMeta, tensors: ReadonlyMap<string, Tensor>, device: Device): Promise<Subject> {
  const taskIds = tensors.get("task_ids");
  const forward = (on: Model | Peft, inputs: unknown, dropoutKey: RunOptions["dropoutKey"] | undefined): unknown =>
    isPeft(on) ? on.forward(inputs, { ...(dropoutKey !== undefined && { dropoutKey }), ...(taskIds && { taskIds }) }) : on.forward(inputs);
  if (!meta.base.endsWith("_base")) {
    const model = new NetModel(meta.base, meta.layers, withPrefix(tensors, "base."));
    const x = tensors.get("x")!;
    return {
      model: model as unknown as Model,
      input: x,
      run: (on, { input = x, dropoutKey } = {}) => forward(on, input, dropoutKey) as Tensor,
      tolerance: toleranceOf(computationOf(model.layers(), meta.dtype)),
    };
  }
  const checkpoint = join(folder, "..", meta.base);
  const source = await openWeights(checkpoint);
  const model = await LlamaForCausalLM.load(readJson(checkpoint, "config.json"), source, { device });
  await source.close();
  const [ids, attentionMask] = [tensors.get("ids")!, tensors.get("mask")!];
  return {
    model: model as unknown as Model,
    input: ids,
    run: (on, { input = ids, masked = true, dropoutKey } = {}) =>
      (forward(on, { inputIds: input, ...(masked && { attentionMask }) }, dropoutKey) as { logits: Tensor }).logits,
    tolerance: toleranceOf(computationOf(model.layers(), meta.dtype)),
    checkpoint,
  };
}
