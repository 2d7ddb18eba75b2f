import { loadCausalLM } from "@weft/models";
import { openTinyModel } from "@weft/tiny-models";
import { continuation, openDevice, type Tell } from "./setup.js";

/** Sizes of all tensors within a cache, in numbers. */
const numbersIn = (cache: unknown): number => {
  if (typeof cache !== "object" || cache === null) return 0;
  const { shape } = cache as { shape?: readonly number[] };
  return shape ? shape.reduce((size, n) => size * n, 1) : Object.values(cache).reduce((sum: number, one) => sum + numbersIn(one), 0);
};

/** RWKV and Mamba write: what they keep of a text is one state, of the same size however long the text is. */
export async function recurrent(tell: Tell): Promise<{ name: string; text: string; short: number; long: number }[]> {
  const device = await openDevice();
  const all = [];
  for (const name of ["rwkv", "mamba", "llama"] as const) {
    const { config, weights } = await openTinyModel(name);
    const model = await loadCausalLM(config, weights, { device });
    const text = await continuation(model, "It was");
    const [short, long] = [16, 256].map((capacity) => numbersIn(model.emptyCache({ capacity }))) as [number, number];
    tell(`${name}: ${short} numbers are kept for 16 tokens, ${long} for 256. It was${text}`);
    all.push({ name, text, short, long });
  }
  device.dispose();
  return all;
}
