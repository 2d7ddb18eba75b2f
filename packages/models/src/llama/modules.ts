import type { SharedInput } from "@weft/tensor-core";
import { attentionOf, blockOf, embedding, linear, type ModuleDescription, other, parametersOf, rmsNormOf } from "../modules.js";
import type { LlamaConfig } from "./llama-config.js";

/** Every module below the model with its path, in the order and under the names of `named_modules()` of the Python model. */
export function* llamaModules(c: LlamaConfig): Generator<[path: string, module: ModuleDescription]> {
  const norm = (size: number = c.hiddenSize): ModuleDescription => rmsNormOf(size, c.normEps, c.gemma ? { offset: 1 } : {});
  const [queries, values] = [c.heads * c.headDim, c.keyValueHeads * c.headDim];
  yield ["model", other];
  yield ["model.embed_tokens", embedding(c.vocabSize, c.hiddenSize)];
  yield ["model.layers", other];
  for (let i = 0; i < c.layers; i++) {
    const block = `model.layers.${i}`;
    yield [block, blockOf(c.hiddenSize)];
    yield [`${block}.self_attn`, attentionOf(c.hiddenSize)];
    const output = [`${block}.self_attn.o_proj`, linear(queries, c.hiddenSize, c.outputBias)] as [string, ModuleDescription];
    if (c.fused) {
      yield output;
      yield [`${block}.self_attn.qkv_proj`, linear(c.hiddenSize, queries + 2 * values)];
    } else {
      yield [`${block}.self_attn.q_proj`, linear(c.hiddenSize, queries, c.qkvBias)];
      yield [`${block}.self_attn.k_proj`, linear(c.hiddenSize, values, c.qkvBias)];
      yield [`${block}.self_attn.v_proj`, linear(c.hiddenSize, values, c.qkvBias)];
      yield output;
    }
    if (c.qkNorm) for (const name of ["q_norm", "k_norm"]) yield [`${block}.self_attn.${name}`, norm(c.headDim)];
    yield [`${block}.mlp`, other];
    if (c.fused) yield [`${block}.mlp.gate_up_proj`, linear(c.hiddenSize, 2 * c.intermediateSize)];
    else for (const name of ["gate_proj", "up_proj"]) yield [`${block}.mlp.${name}`, linear(c.hiddenSize, c.intermediateSize, c.mlpBias)];
    yield [`${block}.mlp.down_proj`, linear(c.intermediateSize, c.hiddenSize, c.mlpBias)];
    yield [`${block}.mlp.${c.fused ? "activation_fn" : "act_fn"}`, other];
    yield [`${block}.input_layernorm`, norm()];
    yield [`${block}.post_attention_layernorm`, norm()];
    if (c.gemma) for (const name of ["pre", "post"]) yield [`${block}.${name}_feedforward_layernorm`, norm()];
    if (c.fused) for (const name of ["attn", "mlp"]) yield [`${block}.resid_${name}_dropout`, other];
  }
  yield ["model.norm", norm()];
  yield ["model.rotary_emb", other];
  yield ["lm_head", { ...linear(c.hiddenSize, c.vocabSize), outputEmbedding: true }];
}

/**
 * The linear layers of block `i` by their inputs, in the order in which they run. Where heads share keys and values, the result of v is not scaled for o; where projections are fused, or 1 is added to a norm's
 * weight, nothing in front can be scaled by rows.
 */
export function llamaSharedInputs({ heads, keyValueHeads, hiddenSize, headDim, fused, gemma }: LlamaConfig, i: number): SharedInput[] {
  const block = `model.layers.${i}`;
  const attention = (name: string): string => `${block}.self_attn.${name}_proj`;
  const mlp = (name: string): string => `${block}.mlp.${name}_proj`;
  const alike = !fused && heads === keyValueHeads && hiddenSize === heads * headDim;
  const behind = (norm: string): { readonly before?: string } => (gemma ? {} : { before: `${block}.${norm}` });
  return [
    { layers: (fused ? ["qkv"] : ["q", "k", "v"]).map(attention), ...behind("input_layernorm"), result: attention("o") },
    { layers: [attention("o")], ...(alike && { before: attention("v") }), result: attention("o") },
    { layers: (fused ? ["gate_up"] : ["gate", "up"]).map(mlp), ...behind("post_attention_layernorm"), result: mlp("down") },
    { layers: [mlp("down")], ...(!fused && { before: mlp("up") }), result: mlp("down") },
  ];
}

/** Names and shapes of the parameters that a checkpoint must have (a tied head may be missing). */
export const llamaParameters = (config: LlamaConfig): Map<string, readonly number[]> => parametersOf(llamaModules(config));
