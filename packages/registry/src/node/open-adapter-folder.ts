import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { FormatError } from "@weft/tensor-core";
import { MAX_CONFIG_BYTES } from "@weft/io-safetensors";
import { openFileBytes, openWeights } from "@weft/io-safetensors/node";
import { openAdapter, type OpenAdapterOptions, type OpenedAdapter } from "../open-adapter.js";

/** Tensor files that an `adapter_config.json` is for, by PEFT and by mlx-lm. */
const BESIDE_CONFIG = ["adapter_model.safetensors", "adapters.safetensors"];

/**
 * Opens an adapter: a folder with `adapter_config.json` and the tensors beside it (PEFT, mlx-lm), a folder with one file, or a file (kohya,
 * LyCORIS, diffusers, ComfyUI …). Only headers and scalars are read; close it with `adapter.weights.close()`.
 *
 * @throws FormatError kinds `not-found`, `unsupported-pickle` and those of safetensors; the errors of `openAdapter`
 */
export async function openAdapterFolder(path: string, options: OpenAdapterOptions = {}): Promise<OpenedAdapter> {
  const alone = await isFile(path);
  const folder = alone ? dirname(path) : path;
  const file = join(folder, "adapter_config.json");
  // A single file in a folder that has no config is of a dialect that needs none; so is one beside which other adapters lie.
  const foreign = alone
    ? !BESIDE_CONFIG.includes(basename(path)) || !(await isFile(file))
    : !(await isFile(file)) && (await holdsFile(folder));
  const config = foreign ? undefined : await readSmallFile(file);
  const exact = await firstFile(alone ? [path] : BESIDE_CONFIG.map((name) => join(folder, name)));
  const weights = await openWeights(exact ?? folder);
  try {
    return await openAdapter({ ...(config && { config }), weights }, { file, ...options });
  } catch (error) {
    await weights.close();
    throw error;
  }
}

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

/** True if a folder has safetensors files of its own. */
const holdsFile = (folder: string): Promise<boolean> =>
  readdir(folder).then(
    (names) => names.some((name) => name.endsWith(".safetensors") && !name.startsWith(".")),
    () => false,
  );
