import { type SafetensorsDType, toCoreDType } from "@weft/io-safetensors";
import { isFloat } from "@weft/tensor-core";

/** Parts of paths of layers that no program quantises: embeddings, heads, and routers of experts. @see transformers `quantizers/base.py` get_modules_to_not_convert */
const KEPT =
  /(^|[._])(embed\w*|wte|wpe|shared|relative_attention_bias|lm_head|embed_out|score|classifier|qa_outputs|router|gate)$|(_embeddings?|_emb|\.output)$|^output$/;
/** Models whose linear layers are transformers' Conv1D, stored [in, out]: the layers of it. */
const TURNED: ReadonlyMap<string, RegExp> = new Map([["gpt2", /\.(c_attn|c_proj|c_fc|q_attn)$/]]);

/** A tensor that a checkpoint may hold a linear layer's weight in. */
interface Candidate {
  readonly name: string;
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
}

/** The path of the linear layer that a tensor is the weight of; undefined for other tensors. */
export function linearPath({ name, dtype, shape }: Candidate): string | undefined {
  const core = toCoreDType(dtype);
  return name.endsWith(".weight") && shape.length === 2 && core && isFloat(core) ? name.slice(0, -".weight".length) : undefined;
}

/** Whether a linear layer is one of those that are quantised. @param skip paths, or last parts of them, that the user wants left alone */
export const isQuantizable = (path: string, skip: readonly string[]): boolean =>
  !KEPT.test(path) && !skip.some((one) => path === one || path.endsWith(`.${one}`));

/** Whether the layer's weight is stored [in, out]. */
export const isTurned = (path: string, modelType: unknown): boolean => TURNED.get(String(modelType))?.test(path) ?? false;
