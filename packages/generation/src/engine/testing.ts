import { fileURLToPath } from "node:url";
import { WasmBackend } from "@weft/kernels-wasm";
import type { CausalLM } from "@weft/models";
import { loadPretrained } from "@weft/models/node";
import { Device, tensor } from "@weft/tensor-core";
import type { GenerativeModel } from "./batch-decoder.js";
import type { TokenRequest } from "./token-request.js";

/** A path below `fixtures/` of the repository. */
export const fixture = (path: string): string => fileURLToPath(new URL(`../../../../fixtures/${path}`, import.meta.url));

/** Kernels without fused multiply-add, so that results are those of every machine. */
export const device: Device = new Device(new WasmBackend({ threads: 1, relaxed: false }));

/** A tiny model. */
export const load = (name: string): Promise<CausalLM> => loadPretrained(fixture(`models/${name}`), { device });

/** A prompt of its own for each number. */
export const prompt = (length: number, seed: number): number[] => Array.from({ length }, (_, i) => (seed * 31 + i * i * 7 + 3 * i) % 60);

/** The likeliest token. */
export const best = (logits: Float32Array): number => logits.indexOf(Math.max(...logits));

/** The likeliest tokens behind a prompt, each by a pass over the whole sequence without any cache. */
export async function expected(forward: GenerativeModel, tokens: readonly number[], count: number): Promise<number[]> {
  const all = [...tokens];
  for (let i = 0; i < count; i++) {
    const inputIds = tensor(Int32Array.from(all), { shape: [1, all.length], device });
    const { logits } = (forward as CausalLM).forward({ inputIds });
    all.push(best((await logits.data()).subarray(-logits.shape[2]!) as Float32Array));
  }
  return all.slice(tokens.length);
}

/** A request that keeps what it chose. */
export interface Greedy extends TokenRequest {
  readonly chosen: number[];
}

/** A request that takes the likeliest tokens. */
export function greedy(tokens: readonly number[], maxNewTokens: number, more: Partial<TokenRequest> = {}): Greedy {
  const chosen: number[] = [];
  const choose = (logits: Float32Array): { token: number; done: boolean } => {
    chosen.push(best(logits));
    return { token: chosen.at(-1)!, done: false };
  };
  return { tokens, maxNewTokens, choose, chosen, ...more };
}
