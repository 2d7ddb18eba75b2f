import type { SharedInput } from "@weft/tensor-core";
import type { LlamaConfig } from "./config.js";

/** What a module of the model is. Adapters attach to all kinds but `other`. */
export interface ModuleDescription {
  readonly kind: "linear" | "embedding" | "norm" | "attention" | "block" | "other";
  /** Features in and out: embedding vocabulary → hidden; norms, attentions and blocks keep them; 0 for `other`. */
  readonly in: number;
  readonly out: number;
  readonly bias: boolean;
  /** The layer that gives the logits; PEFT's `all-linear` leaves it out. */
  readonly outputEmbedding?: boolean;
}

const other: ModuleDescription = { kind: "other", in: 0, out: 0, bias: false };

/** Every module below the model with its path, in the order and under the names of `named_modules()` of the Python model. */
export function* llamaModules(c: LlamaConfig): Generator<[path: string, module: ModuleDescription]> {
  const linear = (from: number, to: number, bias = false): ModuleDescription => ({ kind: "linear", in: from, out: to, bias });
  const same = (kind: ModuleDescription["kind"], size = c.hiddenSize): ModuleDescription => ({ kind, in: size, out: size, bias: false });
  const norm = (size?: number): ModuleDescription => same("norm", size);
  const [queries, values] = [c.heads * c.headDim, c.keyValueHeads * c.headDim];
  yield ["model", other];
  yield ["model.embed_tokens", { kind: "embedding", in: c.vocabSize, out: c.hiddenSize, bias: false }];
  yield ["model.layers", other];
  for (let i = 0; i < c.layers; i++) {
    const block = `model.layers.${i}`;
    yield [block, same("block")];
    yield [`${block}.self_attn`, same("attention")];
    yield [`${block}.self_attn.q_proj`, linear(c.hiddenSize, queries, c.qkvBias)];
    yield [`${block}.self_attn.k_proj`, linear(c.hiddenSize, values, c.qkvBias)];
    yield [`${block}.self_attn.v_proj`, linear(c.hiddenSize, values, c.qkvBias)];
    yield [`${block}.self_attn.o_proj`, linear(queries, c.hiddenSize, c.outputBias)];
    if (c.qkNorm) for (const name of ["q_norm", "k_norm"]) yield [`${block}.self_attn.${name}`, norm(c.headDim)];
    yield [`${block}.mlp`, other];
    yield [`${block}.mlp.gate_proj`, linear(c.hiddenSize, c.intermediateSize, c.mlpBias)];
    yield [`${block}.mlp.up_proj`, linear(c.hiddenSize, c.intermediateSize, c.mlpBias)];
    yield [`${block}.mlp.down_proj`, linear(c.intermediateSize, c.hiddenSize, c.mlpBias)];
    yield [`${block}.mlp.act_fn`, other];
    yield [`${block}.input_layernorm`, norm()];
    yield [`${block}.post_attention_layernorm`, norm()];
  }
  yield ["model.norm", norm()];
  yield ["model.rotary_emb", other];
  yield ["lm_head", { ...linear(c.hiddenSize, c.vocabSize), outputEmbedding: true }];
}

/** The linear layers of block `i` by their inputs, in the order in which they run. Where heads share keys and values, the result of v is not scaled for o. */
export function llamaSharedInputs({ heads, keyValueHeads, hiddenSize, headDim }: LlamaConfig, i: number): SharedInput[] {
  const block = `model.layers.${i}`;
  const attention = (name: string): string => `${block}.self_attn.${name}_proj`;
  const mlp = (name: string): string => `${block}.mlp.${name}_proj`;
  const alike = heads === keyValueHeads && hiddenSize === heads * headDim;
  return [
    { layers: ["q", "k", "v"].map(attention), before: `${block}.input_layernorm`, result: attention("o") },
    { layers: [attention("o")], ...(alike && { before: attention("v") }), result: attention("o") },
    { layers: ["gate", "up"].map(mlp), before: `${block}.post_attention_layernorm`, result: mlp("down") },
    { layers: [mlp("down")], before: mlp("up"), result: mlp("down") },
  ];
}

/** Names and shapes of the parameters that a checkpoint must have (a tied head may be missing). */
export function llamaParameters(config: LlamaConfig): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  for (const [path, { kind, in: from, out: to, bias }] of llamaModules(config)) {
    if (kind === "linear") shapes.set(`${path}.weight`, [to, from]);
    if (kind === "embedding") shapes.set(`${path}.weight`, [from, to]);
    if (kind === "norm") shapes.set(`${path}.weight`, [to]);
    if (bias) shapes.set(`${path}.bias`, [to]);
  }
  return shapes;
}
