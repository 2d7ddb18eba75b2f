import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { FormatError, WeftError } from "@weft/tensor-core";
import { MAX_CONFIG_BYTES } from "@weft/io-safetensors";
import { openFileBytes, openWeights } from "@weft/io-safetensors/node";
import { listNames } from "../list-names.js";
import { openAdapter } from "../open-adapter.js";
import type { OpenAdapterOptions, OpenedAdapter } from "../opened-adapter.js";

/** Tensor files that an `adapter_config.json` is for, by PEFT and by mlx-lm. */
const BESIDE_CONFIG = ["adapter_model.safetensors", "adapters.safetensors"];
const CONFIG = "adapter_config.json";

/**
 * Opens an adapter: a folder with `adapter_config.json` and the tensors beside it (PEFT, mlx-lm), a folder with one file, or a file (kohya,
 * LyCORIS, diffusers, ComfyUI …). Only headers and scalars are read; close it with `adapter.weights.close()`.
 *
 * @throws FormatError kinds `not-found`, `unsupported-pickle` and those of safetensors; the errors of `openAdapter`. Where the folder itself holds no
 *   adapter, the hint names those of its folders that do
 */
export async function openAdapterFolder(path: string, options: OpenAdapterOptions): Promise<OpenedAdapter> {
  const alone = await isFile(path);
  const folder = alone ? dirname(path) : path;
  try {
    return await open(alone ? path : undefined, folder, options);
  } catch (error) {
    const inside = !alone && error instanceof WeftError && NO_ADAPTER.has(error.kind) ? await adaptersIn(folder) : [];
    throw inside.length === 0 ? error : withHint(error as WeftError, `adapters are in ${listNames(inside)}`);
  }
}

/** Kinds of errors that say that a folder's own files are no adapter. */
const NO_ADAPTER: ReadonlySet<string> = new Set([
  "not-an-adapter",
  "not-found",
  "unknown-dialect",
  "missing-index",
  "deepspeed-checkpoint",
]);

async function open(path: string | undefined, folder: string, options: OpenAdapterOptions): Promise<OpenedAdapter> {
  const file = join(folder, CONFIG);
  // A single file under another name is of a dialect that needs no config, whatever lies beside it.
  const belongs = (path === undefined || BESIDE_CONFIG.includes(basename(path))) && (await isFile(file));
  const config = belongs ? await readSmallFile(file) : undefined;
  const weights = await openWeights(path ?? (await firstFile(BESIDE_CONFIG.map((name) => join(folder, name)))) ?? folder);
  try {
    return await openAdapter({ ...(config && { config }), weights }, { file, ...options });
  } catch (error) {
    await weights.close();
    throw error;
  }
}

/** Paths of the folders in a folder that hold an adapter: a trainer's checkpoints, further adapters of PEFT's. */
async function adaptersIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder).catch(() => [])).toSorted();
  const found = await Promise.all(names.map((name) => isFile(join(folder, name, CONFIG))));
  return names.filter((_, i) => found[i]).map((name) => join(folder, name));
}

const withHint = ({ code, message, kind, file, tensor, cause }: WeftError, hint: string): WeftError =>
  new WeftError(code, message, { kind, hint, cause, ...(file !== undefined && { file }), ...(tensor !== undefined && { tensor }) });

async function readSmallFile(path: string): Promise<Uint8Array> {
  const bytes = openFileBytes(path);
  try {
    if (bytes.size > MAX_CONFIG_BYTES)
      throw new FormatError(`${path}: ${bytes.size} bytes, at most ${MAX_CONFIG_BYTES} are read`, { kind: "limit", file: path });
    return await bytes.read(0, bytes.size);
  } finally {
    await bytes.close();
  }
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );

async function firstFile(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await isFile(path)) return path;
  return undefined;
}
