import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { AtomicFile, ioError, writeFileAtomic } from "@weft/io-safetensors/node";
import type { ModelConfig } from "../changes/tied.js";
import { type ConfigEdit, editConfig, parseModelConfig } from "../plan/model-config.js";

/** Files that hold weights, or belong to them or to an adapter. */
const WEIGHTS =
  /\.(safetensors|bin|pt|pth|ckpt|gguf|h5|msgpack|onnx|onnx_data|npz|pkl|index\.json|tmp)$|^adapter_|^\.|^pytorch_model|^training_args/;
const TOKENIZER = /^(tokenizer|special_tokens|added_tokens|vocab|merges|spiece|sentencepiece|chat_template)/;
/** What AutoGPTQ and AutoAWQ say of their weights beside config.json. */
const QUANTIZATION = /^quant(ize)?_config\.json$/;
/** Larger ones are not configuration. */
const MAX_BYTES = 256 << 20;

/** A file to put beside the weights. */
export interface SideFile {
  readonly name: string;
  readonly from: string;
  /** In place of what the file holds. */
  readonly text?: string;
}

/** The folder that a checkpoint lies in. */
export const folderOf = (location: string): string => (statSync(location).isDirectory() ? location : dirname(location));

/** Folders of a sentence-transformers model (`1_Pooling`) are one level deep. */
const MAX_DEPTH = 3;

/** Names of the files in a folder that go along, those of its folders with a slash. */
function carried(folder: string, test: (name: string) => boolean, depth = 0): string[] {
  return readdirSync(folder).flatMap((name) => {
    const stat = statSync(join(folder, name), { throwIfNoEntry: false });
    if (!stat || WEIGHTS.test(name) || !test(name)) return [];
    if (stat.isFile()) return stat.size <= MAX_BYTES ? [name] : [];
    if (!stat.isDirectory() || depth >= MAX_DEPTH) return [];
    const inside = readdirSync(join(folder, name), { recursive: true, encoding: "utf8" });
    // Folders with weights of another model or runtime (onnx, openvino) stay behind.
    return inside.some((file) => WEIGHTS.test(basename(file)) && !basename(file).startsWith("."))
      ? []
      : carried(join(folder, name), test, depth + 1).map((file) => `${name}/${file}`);
  });
}

/**
 * Configs, tokenizer and licence of the base, with the config changed where the weights ask for it.
 * @param tokenizer folder of an adapter whose tokenizer goes with a resized vocabulary
 */
export function sideFiles(base: string, edit: ConfigEdit, tokenizer: string | undefined): SideFile[] {
  const files = new Map(
    carried(base, (name) => !(edit.dequantized && QUANTIZATION.test(name))).map((name): [string, SideFile] => [
      name,
      { name, from: join(base, name) },
    ]),
  );
  if (tokenizer !== undefined)
    for (const name of carried(tokenizer, (n) => TOKENIZER.test(n))) files.set(name, { name, from: join(tokenizer, name) });
  const config = files.get("config.json");
  if (config) {
    const before = readFileSync(config.from, "utf8");
    const after = editConfig(before, edit, config.from);
    if (after !== before) files.set("config.json", { ...config, text: after });
  }
  return [...files.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The base's `config.json`, if there is one. @throws ConfigError kind `config-json` */
export function readModelConfig(folder: string): ModelConfig | undefined {
  const file = join(folder, "config.json");
  return existsSync(file) ? parseModelConfig(readFileSync(file, "utf8"), file) : undefined;
}

/** diffusers' class of the model that tensors are of, where a config.json beside them has one. @throws ConfigError kind `config-json` */
export function classNameOf({ location }: { readonly location: string }): string | undefined {
  const name = readModelConfig(folderOf(location))?._class_name;
  return typeof name === "string" ? name : undefined;
}

/** Writes the files into a folder. */
export async function writeSideFiles(files: readonly SideFile[], folder: string): Promise<void> {
  for (const { name, from, text } of files) {
    const to = join(folder, name);
    mkdirSync(dirname(to), { recursive: true });
    if (text !== undefined) await writeFileAtomic(to, text);
    else await copyFileAtomic(from, to);
  }
}

async function copyFileAtomic(from: string, to: string): Promise<void> {
  const file = new AtomicFile(to);
  try {
    try {
      copyFileSync(from, file.temporary);
    } catch (error) {
      throw ioError(error, to, "write");
    }
    await file.commit();
  } catch (error) {
    file.abort();
    throw error;
  }
}

/** The first file that is not in the folder as `writeSideFiles` writes it. */
export function unlikeSideFile(files: readonly SideFile[], folder: string): SideFile | undefined {
  return files.find(({ name, from, text }) => {
    const to = join(folder, name);
    return !existsSync(to) || !readFileSync(to).equals(text === undefined ? readFileSync(from) : Buffer.from(text));
  });
}
