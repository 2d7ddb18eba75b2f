import { stat } from "node:fs/promises";
import { join } from "node:path";
import { FormatError } from "@weft/tensor-core";
import { MAX_CONFIG_BYTES } from "@weft/io-safetensors";
import { openFileBytes, openWeights } from "@weft/io-safetensors/node";
import { openAdapter, type OpenAdapterOptions, type OpenedAdapter } from "../open-adapter.js";

/**
 * Opens an adapter folder: `adapter_config.json` with `adapter_model.safetensors` beside it. Only headers are read;
 * close it with `adapter.weights.close()`.
 *
 * @throws FormatError kinds `not-found`, `unsupported-pickle` and those of safetensors; the errors of `openAdapter`
 */
export async function openAdapterFolder(folder: string, options: OpenAdapterOptions = {}): Promise<OpenedAdapter> {
  const file = join(folder, "adapter_config.json");
  const config = await readSmallFile(file);
  const exact = join(folder, "adapter_model.safetensors");
  const weights = await openWeights((await isFile(exact)) ? exact : folder);
  try {
    return openAdapter({ config, weights }, { file, ...options });
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
