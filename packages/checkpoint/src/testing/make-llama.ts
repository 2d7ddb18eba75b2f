import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encode } from "@weft/tensor-core";

/** Sizes of a made-up Llama. */
export interface LlamaSizes {
  readonly layers: number;
  readonly hidden: number;
  readonly intermediate: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly vocab: number;
  readonly shards: number;
  readonly rank: number;
}

const SMALL: LlamaSizes = { layers: 2, hidden: 64, intermediate: 112, heads: 4, kvHeads: 2, vocab: 97, shards: 3, rank: 4 };

interface Made {
  readonly name: string;
  readonly dtype: "BF16" | "F32";
  readonly shape: readonly number[];
}

/** A million numbers around 0 that tensors take turns in. */
const POOL: Float32Array = Float32Array.from({ length: 1 << 20 }, (_, i) => Math.sin(i * 12.9898) * 0.05 * Math.cos(i * 0.37));
const STORED = { BF16: Buffer.from(encode(POOL, "bf16")), F32: Buffer.from(POOL.buffer) };
const WIDTH = { BF16: 2, F32: 4 };

function writeTensors(file: string, tensors: readonly Made[]): void {
  let at = 0;
  const size = ({ dtype, shape }: Made): number => shape.reduce((a, b) => a * b, WIDTH[dtype]);
  const header = Buffer.from(
    JSON.stringify(
      Object.fromEntries([
        ["__metadata__", { format: "pt" }],
        ...tensors.map((t) => [t.name, { dtype: t.dtype, shape: t.shape, data_offsets: [at, (at += size(t))] }]),
      ]),
    ),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const data = tensors.map((t, i) => {
    const bytes = Buffer.alloc(size(t));
    const from = STORED[t.dtype].subarray((i * 4096) % 65536);
    for (let done = 0; done < bytes.length; done += from.length) from.copy(bytes, done);
    return bytes;
  });
  writeFileSync(file, Buffer.concat([length, header, ...data]));
}

/** Writes a sharded bf16 checkpoint (`base`) and a LoRA adapter on all its linear layers (`lora`). */
export function makeLlama(folder: string, sizes: Partial<LlamaSizes> = {}): { readonly base: string; readonly lora: string } {
  const { layers, hidden, intermediate, heads, kvHeads, vocab, shards, rank } = { ...SMALL, ...sizes };
  const [base, lora] = [join(folder, "base"), join(folder, "lora")];
  for (const path of [base, lora]) mkdirSync(path, { recursive: true });
  const kv = (hidden / heads) * kvHeads;
  const linear: { readonly [path: string]: readonly [out: number, inputs: number] } = {
    "self_attn.q_proj": [hidden, hidden],
    "self_attn.k_proj": [kv, hidden],
    "self_attn.v_proj": [kv, hidden],
    "self_attn.o_proj": [hidden, hidden],
    "mlp.gate_proj": [intermediate, hidden],
    "mlp.up_proj": [intermediate, hidden],
    "mlp.down_proj": [hidden, intermediate],
  };
  const modules = Array.from({ length: layers }, (_, i) =>
    Object.entries(linear).map(([path, shape]) => [`model.layers.${i}.${path}`, shape] as const),
  ).flat();
  const norms = [
    "model.norm",
    ...Array.from({ length: layers }, (_, i) => [`model.layers.${i}.input_layernorm`, `model.layers.${i}.post_attention_layernorm`]).flat(),
  ];
  const tensors = [
    ...["model.embed_tokens", "lm_head"].map((name): Made => ({ name: `${name}.weight`, dtype: "BF16", shape: [vocab, hidden] })),
    ...norms.map((name): Made => ({ name: `${name}.weight`, dtype: "BF16", shape: [hidden] })),
    ...modules.map(([name, shape]): Made => ({ name: `${name}.weight`, dtype: "BF16", shape })),
  ];
  const fileOf = (i: number): string =>
    shards === 1
      ? "model.safetensors"
      : `model-${String((i % shards) + 1).padStart(5, "0")}-of-${String(shards).padStart(5, "0")}.safetensors`;
  for (let s = 0; s < shards; s++)
    writeTensors(
      join(base, fileOf(s)),
      tensors.filter((_, i) => i % shards === s),
    );
  const json = (file: string, value: object): void => writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`);
  if (shards > 1)
    json(join(base, "model.safetensors.index.json"), {
      metadata: { total_size: tensors.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 2), 0) },
      weight_map: Object.fromEntries(tensors.map(({ name }, i) => [name, fileOf(i)])),
    });
  json(join(base, "config.json"), {
    architectures: ["LlamaForCausalLM"],
    hidden_size: hidden,
    intermediate_size: intermediate,
    model_type: "llama",
    num_attention_heads: heads,
    num_hidden_layers: layers,
    num_key_value_heads: kvHeads,
    rms_norm_eps: 1e-5,
    tie_word_embeddings: false,
    torch_dtype: "bfloat16",
    vocab_size: vocab,
  });
  const factors = modules.flatMap(([path, [out, inputs]]): Made[] => [
    { name: `base_model.model.${path}.lora_A.weight`, dtype: "F32", shape: [rank, inputs] },
    { name: `base_model.model.${path}.lora_B.weight`, dtype: "F32", shape: [out, rank] },
  ]);
  writeTensors(join(lora, "adapter_model.safetensors"), factors);
  json(join(lora, "adapter_config.json"), {
    base_model_name_or_path: "made-up",
    lora_alpha: 2 * rank,
    peft_type: "LORA",
    r: rank,
    target_modules: Object.keys(linear).map((path) => path.split(".").at(-1)),
    task_type: "CAUSAL_LM",
  });
  return { base, lora };
}
