import { ArenaLayout, type Operand } from "@weft/tensor-core";
import { lowerProduct, type ProductOptions } from "../../../../../packages/kernels-wasm/src/kernels/product/lower-product.js";
import { addressOf, LowerContext, type Run } from "../../../../../packages/kernels-wasm/src/lower/context.js";
import { WasmMemory } from "../../../../../packages/kernels-wasm/src/memory.js";
import { compileProducts } from "../../../../../packages/kernels-wasm/src/modules.js";
import { Pool } from "../../../../../packages/kernels-wasm/src/threads/pool.js";
import { Threads } from "../../../../../packages/kernels-wasm/src/threads/threads.js";
import type { LoraCase } from "./case.js";

/** Memory, threads and arguments of the CPU kernels, without any graph. */
export interface ByHand {
  run(): void;
  result(): Float32Array;
  dispose(): void;
}

const transposed = (t: Operand): Operand => ({ ...t, shape: [t.shape[1]!, t.shape[0]!], strides: [t.strides[1]!, t.strides[0]!] });

/**
 * y = x·Wᵀ, t = x·Aᵀ, y += s·t·Bᵀ by calling the kernels of kernels-wasm directly: what somebody would write who knows them. This is what
 * the lazy graph is measured against, so it reaches into the package.
 */
export function loraByHand({ m, inputs, out, r, scale, x, w, a, b }: LoraCase, threads: number): ByHand {
  const memory = new WasmMemory();
  const products = compileProducts(true);
  const workers = new Threads(memory, products, threads);
  const pool = new Pool(memory, workers);
  const layout = new ArenaLayout({ buffers: [], steps: [], scratchBytes: 0 }, 64);
  const context = new LowerContext(memory, pool, { fused: products.fused, rowIndependent: false, activations: "f32" }, layout, 0);
  const place = (shape: number[]): Operand => context.temporary(shape, "f32");
  const product = (left: Operand, right: Operand, to: Operand, options?: ProductOptions): Run =>
    context.scoped(() => lowerProduct(left, right, to, context, options));
  const [px, pw, pa, pb] = [place([m, inputs]), place([out, inputs]), place([r, inputs]), place([out, r])];
  const [low, y] = [place([m, r]), place([m, out])];
  const steps = [
    product(px, transposed(pw), y),
    product(px, transposed(pa), low),
    product(low, transposed(pb), y, { alpha: scale, accumulate: true }),
  ];
  const arena = memory.allocate(layout.bytes).address;
  const addresses = Int32Array.from(context.temporaries, (offset) => arena + offset);
  const floats = (t: Operand): number => addressOf(t, addresses) >>> 2;
  [px, pw, pa, pb].forEach((t, i) => memory.floats.set([x, w, a, b][i]!, floats(t)));
  return {
    run: () => steps.forEach((step) => step(addresses)),
    result: () => memory.floats.slice(floats(y), floats(y) + m * out),
    dispose: () => workers.dispose(),
  };
}
