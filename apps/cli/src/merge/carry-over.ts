import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomic } from "@weft/io-safetensors/node";
import type { MergeOptions } from "./options.js";
import type { Prepared } from "./prepare.js";

/** Weights and what belongs to them; everything else in a model's folder describes the model and goes along. */
const WEIGHTS = /\.(safetensors|bin|pt|pth|ckpt|h5|msgpack|onnx|onnx_data|gguf|ot|tflite|index\.json)$|^adapter_config\.json$/;
/** No config or tokenizer is larger. */
const MAX_BYTES: number = 64 << 20;
/** Folders of a sentence-transformers model (`1_Pooling`) are one level deep. */
const MAX_DEPTH = 3;

const DTYPE_NAMES = { f32: "float32", f16: "float16", bf16: "bfloat16" } as const;

/** Copies config, tokenizer and the like beside the merged weights; the config says what has changed. */
export async function carryOver(prepared: Prepared, options: MergeOptions, out: string): Promise<void> {
  await copyFolder(prepared.folder, out, 0);
  const file = join(prepared.folder, "config.json");
  const changes: [string, unknown][] = [];
  if (prepared.untied) changes.push(["tie_word_embeddings", false]);
  if (!existsSync(file)) return;
  const config = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  const name = options.dtype && DTYPE_NAMES[options.dtype as keyof typeof DTYPE_NAMES];
  if (name) changes.push(["torch_dtype" in config ? "torch_dtype" : "dtype", name]);
  const changed = changes.filter(([key, value]) => config[key] !== value);
  if (changed.length > 0) await writeFileAtomic(join(out, "config.json"), `${JSON.stringify({ ...config, ...Object.fromEntries(changed) }, null, 2)}\n`);
}

async function copyFolder(from: string, to: string, depth: number): Promise<void> {
  for (const name of readdirSync(from)) {
    if (name.startsWith(".") || WEIGHTS.test(name)) continue;
    const source = join(from, name);
    const stat = statSync(source, { throwIfNoEntry: false });
    if (stat?.isDirectory() && depth < MAX_DEPTH) {
      const files = readdirSync(source, { recursive: true, encoding: "utf8" });
      // Folders of other runtimes' weights (onnx, openvino) stay behind.
      if (files.some((f) => WEIGHTS.test(f) && !f.endsWith("index.json"))) continue;
      mkdirSync(join(to, name), { recursive: true });
      await copyFolder(source, join(to, name), depth + 1);
    } else if (stat?.isFile() && stat.size <= MAX_BYTES) await writeFileAtomic(join(to, name), readFileSync(source));
  }
}
