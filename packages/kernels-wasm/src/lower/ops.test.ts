import {
  ArenaLayout,
  type Attrs,
  bytesPerElement,
  contiguousStrides,
  type DType,
  encode,
  decode,
  isFloat,
  type Operand,
  PRIMITIVES,
  runReferenceOp,
  sizeOf,
} from "@weft/tensor-core";
import { firstDifference } from "@weft/tensor-core/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WasmMemory } from "../memory.js";
import { compileProducts } from "../modules.js";
import { Pool } from "../threads/pool.js";
import { Threads } from "../threads/threads.js";
import { LowerContext } from "./context.js";
import { loadGroup } from "./groups.js";
import { lowerOp } from "./lower-step.js";

beforeAll(() => loadGroup("further"));

let seed = 3;
const random = (): number => (seed = (seed * 48271) % 2147483647) / 2147483647;

interface Input {
  readonly shape: readonly number[];
  readonly dtype?: DType;
  readonly values?: readonly number[];
  /** Order in which the axes lie in memory, for matmul. */
  readonly strides?: readonly number[];
}

describe.each([
  [1, false],
  [2, false],
  [1, true],
])("primitives on %i threads, FMA %s", (threads, relaxed) => {
  const memory = new WasmMemory();
  const products = compileProducts(relaxed);
  const workers = new Threads(memory, products, threads);
  const pool = new Pool(memory, workers);
  afterAll(() => workers.dispose());

  /** Runs a primitive by its kernel and by the reference; values of both. */
  function both(op: string, inputs: readonly Input[], attrs: Attrs): { got: Float64Array; want: Float64Array } {
    const specs = inputs.map(({ shape, dtype = "f32" }) => ({ shape, dtype }));
    const result = PRIMITIVES[op]!.infer(specs, attrs);
    const data = inputs.map(({ shape, dtype = "f32", values }) =>
      encode(values ?? Array.from({ length: sizeOf(shape) }, () => (isFloat(dtype) ? random() * 2 - 1 : Math.floor(random() * 50))), dtype),
    );
    const operands = inputs.map(({ shape, dtype = "f32", strides }, buffer): Operand => ({
      buffer,
      dtype,
      shape,
      strides: strides ?? contiguousStrides(shape),
      offset: 0,
    }));
    const out: Operand = { buffer: inputs.length, ...result, strides: contiguousStrides(result.shape), offset: 0 };
    const bytes = sizeOf(result.shape) * bytesPerElement(result.dtype);
    const layout = new ArenaLayout({ buffers: [], steps: [], scratchBytes: 0 }, 64);
    const context = new LowerContext(
      memory,
      pool,
      { fused: products.fused, rowIndependent: false, activations: "f32" },
      layout,
      inputs.length + 1,
    );
    const run = lowerOp(op)!({ kind: "op", op, attrs, inputs: operands, outputs: [out], flops: 0 }, context)!;
    const buffers = [...data.map((d) => d.length), bytes, layout.bytes].map((n) => memory.allocate(n));
    const arena = buffers.pop()!;
    data.forEach((d, i) => memory.bytes.set(d, buffers[i]!.address));
    memory.bytes.fill(0x5a, buffers.at(-1)!.address, buffers.at(-1)!.address + bytes);
    run(Int32Array.from([...buffers.map((b) => b.address), ...context.temporaries.map((offset) => arena.address + offset)]));
    const got = decode(memory.bytes.slice(buffers.at(-1)!.address, buffers.at(-1)!.address + bytes), result.dtype);
    context.dispose();
    [...buffers, arena].forEach((b) => memory.release(b));
    const host = [...data, new Uint8Array(bytes)];
    runReferenceOp((id) => host[id]!, op, attrs, operands, out);
    return { got, want: decode(host.at(-1)!, result.dtype) };
  }

  function expectClose({ got, want }: { got: Float64Array; want: Float64Array }, tolerance: number): void {
    expect(firstDifference(got, want, { relative: tolerance, absolute: tolerance })).toBeUndefined();
  }

  it("matmul over nothing is zero", () => expectClose(both("matmul", [{ shape: [3, 0] }, { shape: [0, 5] }], {}), 0));
  it("matmul of a batch with a weight that all share", () =>
    expectClose(both("matmul", [{ shape: [2, 3, 7, 9] }, { shape: [2, 3, 9, 5], strides: [0, 0, 5, 1] }], {}), 1e-5));

  it("conv in tiles of its positions", () => {
    const attrs = {
      stride: [1, 1],
      dilation: [1, 1],
      inputDilation: [1, 1],
      padding: [
        [0, 0],
        [0, 0],
      ],
      groups: 1,
    };
    expectClose(both("conv", [{ shape: [1, 640, 65, 65] }, { shape: [1, 640, 3, 3] }], attrs), 1e-4);
  });
});
