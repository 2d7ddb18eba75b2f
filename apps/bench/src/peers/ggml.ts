import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** The library with ggml's C encoders, of the llama.cpp that the checks against other programs have installed; undefined where they have not. */
export function ggmlLibrary(root: string): string | undefined {
  const folder = join(root, ".cache/llama/node_modules/@node-llama-cpp");
  if (!existsSync(folder)) return undefined;
  const name = readdirSync(folder, { recursive: true, encoding: "utf8" }).find((file) => /libggml-base\.(so|dylib)$/.test(file));
  return name === undefined ? undefined : join(folder, name);
}
