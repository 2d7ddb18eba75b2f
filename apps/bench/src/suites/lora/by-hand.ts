import { lowerProduct } from "../../../../../packages/kernels-wasm/src/kernels/product/lower-product.js";
import { LowerContext } from "../../../../../packages/kernels-wasm/src/lower/context.js";
import { type Place, temporary } from "../../../../../packages/kernels-wasm/src/lower/place.js";
import { WasmMemory } from "../../../../../packages/kernels-wasm/src/memory.js";
import { compileModules } from "../../../../../packages/kernels-wasm/src/modules.js";
import { Pool } from "../../../../../packages/kernels-wasm/src/threads/pool.js";
import type { LoraCase } from "./case.js";

/** Memory, threads and arguments of the CPU kernels, without any graph. */
export interface ByHand {
  run(): void;
  result(): Float32Array;
  dispose(): void;
}

const transposed = (t: Place): Place => ({ ...t, shape: [t.shape[1]!, t.shape[0]!], strides: [t.strides[1]!, t.strides[0]!] });

/**
 * y = x·Wᵀ, t = x·Aᵀ, y += s·t·Bᵀ by calling the kernels of kernels-wasm directly: what somebody would write who knows them. This is what
 * the lazy graph is measured against, so it reaches into the package.
 */
export function loraByHand({ m, inputs, out, r, scale, x, w, a, b }: LoraCase, threads: number): ByHand {
  const memory = new WasmMemory();
  const modules = compileModules(true);
  const pool = new Pool(memory, modules, threads);
  const context = new LowerContext(memory, pool, modules.fused);
  const place = (shape: number[], values?: Float32Array): Place => {
    const t = temporary(context, shape, "f32");
    if (values) memory.floats.set(values, t.address! >>> 2);
    return t;
  };
  const [px, pw, pa, pb] = [place([m, inputs], x), place([out, inputs], w), place([r, inputs], a), place([out, r], b)];
  const [low, y] = [place([m, r]), place([m, out])];
  const steps = [
    lowerProduct(px, transposed(pw), y, context),
    lowerProduct(px, transposed(pa), low, context),
    lowerProduct(low, transposed(pb), y, context, { alpha: scale, accumulate: true }),
  ];
  const none = new Int32Array(0);
  return {
    run: () => steps.forEach((step) => step(none)),
    result: () => memory.floats.slice(y.address! >>> 2, (y.address! >>> 2) + m * out),
    dispose: () => pool.dispose(),
  };
}
