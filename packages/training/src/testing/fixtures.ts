import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readTensor } from "@weft/adapter-files";
import { openWeights } from "@weft/io-safetensors/node";
import { createWasmBackend, type WasmBackend } from "@weft/kernels-wasm";
import { Device, type Tensor } from "@weft/tensor-core";

/** Where tests run, and what counts its memory. */
export const backend: WasmBackend = await createWasmBackend({ threads: 1 });
export const device: Device = new Device(backend);

/** A path below `fixtures/`. */
export const fixture = (...path: string[]): string => fileURLToPath(new URL(`../../../../fixtures/${path.join("/")}`, import.meta.url));

/** A JSON file below `fixtures/`. */
export const jsonFixture = <T>(...path: string[]): T => JSON.parse(readFileSync(fixture(...path), "utf8")) as T;

/** All tensors of a file or folder. */
export async function tensorsOf(path: string): Promise<Map<string, Tensor>> {
  const source = await openWeights(path);
  try {
    const all = new Map<string, Tensor>();
    for (const name of source.names()) all.set(name, await readTensor(source, name, { device }));
    return all;
  } finally {
    await source.close();
  }
}

/** The largest difference of two tensors. */
export async function gap(a: Tensor, b: Tensor): Promise<number> {
  const [x, y] = [await a.data(), await b.data()];
  return Math.max(...Array.from(x, (v, i) => Math.abs(v - y[i]!)));
}

/** A small LoRA on the tiny models. */
export const SMALL_LORA: { readonly peft_type: string } = Object.freeze({ peft_type: "LORA", r: 2, target_modules: "all-linear" });
