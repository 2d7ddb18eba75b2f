// Writes a synthetic checkpoint of TinyLlama's shapes (1.1 B parameters, bf16, 4 shards) and a LoRA adapter (r 16, all linear layers) for it.
// Usage: node make-synthetic-llama.mjs FOLDER [layers]   Same bytes on every run.
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

const [folder, layersText = "22"] = process.argv.slice(2);
const layers = Number(layersText);
const [hidden, inner, vocab, kv, rank] = [2048, 5632, 32000, 256, 16];
const LINEAR = {
  "self_attn.q_proj": [hidden, hidden],
  "self_attn.k_proj": [kv, hidden],
  "self_attn.v_proj": [kv, hidden],
  "self_attn.o_proj": [hidden, hidden],
  "mlp.gate_proj": [inner, hidden],
  "mlp.up_proj": [inner, hidden],
  "mlp.down_proj": [hidden, inner],
};

/** One megabyte of plausible values, written over and over at changing offsets: a merge's cost does not depend on them. */
let seed = 1;
const random = () => (seed = (seed * 48271) % 2147483647) / 1073741824 - 1;
const noise = Float32Array.from({ length: 1 << 20 }, () => random() * 0.04);
const noiseBits = new Uint32Array(noise.buffer);
const bf16 = Buffer.from(Uint16Array.from(noiseBits, (b) => b >>> 16).buffer);
const f32 = Buffer.from(noise.buffer);

function writeFile(path, tensors, dtype) {
  const width = dtype === "BF16" ? 2 : 4;
  let at = 0;
  const header = { __metadata__: { format: "pt" } };
  for (const [name, shape] of tensors) {
    const bytes = shape.reduce((a, b) => a * b, width);
    header[name] = { dtype, shape, data_offsets: [at, at + bytes] };
    at += bytes;
  }
  const json = Buffer.from(JSON.stringify(header));
  const head = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, " ");
  head.writeBigUInt64LE(BigInt(head.length - 8), 0);
  json.copy(head, 8);
  const fd = openSync(path, "w");
  writeSync(fd, head);
  const source = dtype === "BF16" ? bf16 : f32;
  for (let left = at, turn = 0; left > 0; turn++) {
    const from = ((turn * 7919) % 4096) * 2 * width;
    left -= writeSync(fd, source, from, Math.min(left, source.length - from));
  }
  closeSync(fd);
  return at;
}

const blocks = Array.from({ length: layers }, (_, i) => [
  ...Object.entries(LINEAR).map(([name, shape]) => [`model.layers.${i}.${name}.weight`, shape]),
  [`model.layers.${i}.input_layernorm.weight`, [hidden]],
  [`model.layers.${i}.post_attention_layernorm.weight`, [hidden]],
]);
const all = [
  ["model.embed_tokens.weight", [vocab, hidden]],
  ...blocks.flat(),
  ["model.norm.weight", [hidden]],
  ["lm_head.weight", [vocab, hidden]],
];
const base = join(folder, "base");
mkdirSync(base, { recursive: true });
const quarter = Math.ceil(all.length / 4);
const map = {};
let total = 0;
for (let s = 0; s < 4; s++) {
  const name = `model-0000${s + 1}-of-00004.safetensors`;
  const part = all.slice(s * quarter, (s + 1) * quarter).sort(([a], [b]) => (a < b ? -1 : 1));
  total += writeFile(join(base, name), part, "BF16");
  for (const [tensor] of part) map[tensor] = name;
}
writeFileSync(join(base, "model.safetensors.index.json"), JSON.stringify({ metadata: { total_size: total }, weight_map: map }, null, 2));
writeFileSync(
  join(base, "config.json"),
  JSON.stringify(
    {
      architectures: ["LlamaForCausalLM"],
      model_type: "llama",
      hidden_size: hidden,
      intermediate_size: inner,
      num_hidden_layers: layers,
      num_attention_heads: 32,
      num_key_value_heads: 4,
      vocab_size: vocab,
      max_position_embeddings: 2048,
      rms_norm_eps: 1e-5,
      hidden_act: "silu",
      tie_word_embeddings: false,
      torch_dtype: "bfloat16",
    },
    null,
    2,
  ),
);

const adapter = join(folder, "adapter");
mkdirSync(adapter, { recursive: true });
const factors = Array.from({ length: layers }, (_, i) =>
  Object.entries(LINEAR).flatMap(([name, [out, inputs]]) => [
    [`base_model.model.model.layers.${i}.${name}.lora_A.weight`, [rank, inputs]],
    [`base_model.model.model.layers.${i}.${name}.lora_B.weight`, [out, rank]],
  ]),
).flat();
writeFile(join(adapter, "adapter_model.safetensors"), factors, "F32");
writeFileSync(
  join(adapter, "adapter_config.json"),
  JSON.stringify(
    {
      peft_type: "LORA",
      task_type: "CAUSAL_LM",
      base_model_name_or_path: null,
      r: rank,
      lora_alpha: 32,
      lora_dropout: 0,
      bias: "none",
      target_modules: Object.keys(LINEAR).map((n) => n.split(".")[1]),
      inference_mode: true,
    },
    null,
    2,
  ),
);
process.stdout.write(`${folder}: ${(total / 1e9).toFixed(2)} GB of weights\n`);
