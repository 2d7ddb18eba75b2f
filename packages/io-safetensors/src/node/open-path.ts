import { existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import { FormatError } from "@weft/tensor-core";
import type { HubOptions } from "../hub.js";
import { openIndex } from "../open-index.js";
import { openSafetensors, type SafetensorsInput } from "../open.js";
import { openFile } from "../safetensors-file.js";
import { WEIGHT_FILES } from "../weight-files.js";
import type { WeightSource } from "../weight-source.js";
import { ioError, openFileBytes } from "./file-bytes.js";
import { openHubId } from "./hub-cache.js";

/** A part of a checkpoint, which is nothing without its index. */
const PART = /-\d{5}-of-\d{5}\.safetensors$/;

/**
 * Opens a checkpoint or adapter: a safetensors file, an index, a folder that holds one of them, a repository `hf:user/repo[@revision]` (from the
 * local cache or over the network), or what `openSafetensors` takes.
 * @throws FormatError with the kinds of the format's checks, and `missing-index`, `missing-shard`, `unsafe-path`, `not-found`
 */
export async function openWeights(input: SafetensorsInput, options: HubOptions = {}): Promise<WeightSource> {
  if (typeof input !== "string" || /^https?:\/\//.test(input)) return openSafetensors(input, options);
  if (input.startsWith("hf:")) return openHubId(input, options, openWeights);
  const path = isFolder(input) ? fileOf(input) : input;
  if (!path.endsWith(".index.json")) return openFile(openFileBytes(path));
  const index = openFileBytes(path);
  try {
    return await openIndex(index, path, async (shard) => openFileBytes(shardPath(dirname(path), shard)));
  } finally {
    await index.close();
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    throw ioError(error, path, "read");
  }
}

/** The file in a folder that it is opened by. */
export function fileOf(folder: string): string {
  const named = WEIGHT_FILES.map((name) => join(folder, name)).find((path) => existsSync(path));
  if (named) return named;
  const files = readdirSync(folder).filter((name) => name.endsWith(".safetensors") && !name.startsWith("."));
  if (files.length === 1 && !PART.test(files[0]!)) return join(folder, files[0]!);
  if (files.length > 0)
    throw new FormatError(
      `${folder}: there is no index (model.safetensors.index.json) that says what lies in which of ${files.length} safetensors files`,
      {
        kind: "missing-index",
        file: join(folder, "model.safetensors.index.json"),
        hint: "fetch the index of the checkpoint, or name one file",
      },
    );
  const names = readdirSync(folder);
  for (const { kind, mark, what, hint } of SCATTERED)
    if (names.some((name) => mark.test(name)))
      throw new FormatError(`${folder}: ${what}; its weights are in no file as a whole`, { kind, file: folder, hint });
  for (const name of names) if (/\.(bin|pt|pth|ckpt)$/.test(name)) return join(folder, name);
  throw new FormatError(`${folder}: no safetensors file in this folder`, { kind: "not-found", file: folder });
}

/** Folders of several models, and checkpoints of distributed training, in which each process wrote its part: what they are known by, and what to do. */
const SCATTERED = [
  {
    kind: "pipeline",
    mark: /^model_index\.json$/,
    what: "this is a pipeline of several models (model_index.json)",
    hint: "name the folder of one of them: unet, transformer, text_encoder …",
  },
  {
    kind: "fsdp-checkpoint",
    mark: /\.distcp$/,
    what: "this is a sharded FSDP checkpoint (.distcp files)",
    hint: "gather it first: accelerate merge-weights FOLDER OUT",
  },
  {
    kind: "deepspeed-checkpoint",
    mark: /^(zero_to_fp32\.py|global_step\d+|.*_(model|optim)_states\.pt)$/,
    what: "this is a DeepSpeed checkpoint",
    hint: "gather it first: python zero_to_fp32.py FOLDER OUT --safe_serialization",
  },
] as const;

/** A shard beside its index. It may be a link, but only to a place inside the folder, or into the `blobs` of the same hub cache. */
function shardPath(folder: string, shard: string): string {
  const path = join(folder, shard);
  if (!existsSync(path))
    throw new FormatError(`${path}: the index names this shard, but it is not there`, {
      kind: "missing-shard",
      file: path,
      hint: "the download is incomplete: fetch the missing shard",
    });
  const home = realpathSync(folder);
  const real = realpathSync(path);
  const outside = relative(home, real).split(sep)[0] === "..";
  const cache = dirname(dirname(home));
  const blob = basename(dirname(home)) === "snapshots" && dirname(real) === join(cache, "blobs");
  if (outside && !blob)
    throw new FormatError(`${path}: the shard is a link that leads out of its folder`, { kind: "unsafe-path", file: path });
  return path;
}
