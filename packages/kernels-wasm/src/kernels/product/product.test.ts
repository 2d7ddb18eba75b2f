import { ArenaLayout, decode, type DType, encode, type Operand } from "@weft/tensor-core";
import { afterAll, describe, expect, it } from "vitest";
import { addressOf, LowerContext } from "../../lower/context.js";
import { WasmMemory } from "../../memory.js";
import { compileProducts } from "../../modules.js";
import { Pool } from "../../threads/pool.js";
import { Threads } from "../../threads/threads.js";
import { lowerProduct, type ProductOptions } from "./lower-product.js";

let seed = 5;
const random = (): number => (seed = (seed * 48271) % 2147483647) / 2147483647;
const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;

/** How a matrix lies in memory. */
interface Layout {
  readonly transposed: boolean;
  /** Elements between the lines that are not its own. */
  readonly gap: number;
  /** 2: only every other element of a line is its own. */
  readonly step: number;
  /** Elements before the first. */
  readonly offset: number;
  /** All matrices of the batch are one. */
  readonly one: boolean;
}
const PLAIN: Layout = { transposed: false, gap: 0, step: 1, offset: 0, one: false };

interface Case extends ProductOptions {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly batch?: number;
  readonly dtypes?: readonly [DType, DType];
  readonly a?: Partial<Layout>;
  readonly b?: Partial<Layout>;
  /** Elements between the rows of C that are not its own. */
  readonly gap?: number;
  /** Elements of A and B at places [row, column] that are not as usual. */
  readonly special?: {
    readonly a?: readonly (readonly [number, number, number])[];
    readonly b?: readonly (readonly [number, number, number])[];
  };
}

describe.each([
  [1, false],
  [1, true],
  [2, false],
])("products on %i threads, FMA %s", (threads, relaxed) => {
  const memory = new WasmMemory();
  const products = compileProducts(relaxed);
  const workers = new Threads(memory, products, threads);
  const pool = new Pool(memory, workers);
  afterAll(() => workers.dispose());

  /** Compares every element with a plain loop in f64, and what lies around the result with what was there. */
  function check({
    m,
    k,
    n,
    batch = 1,
    dtypes = ["f32", "f32"],
    a = {},
    b = {},
    gap = 0,
    alpha = 1,
    accumulate = false,
    special = {},
  }: Case): void {
    const layout = new ArenaLayout({ buffers: [], steps: [], scratchBytes: 0 }, 64);
    const context = new LowerContext(memory, pool, { fused: products.fused, rowIndependent: false, activations: "f32" }, layout, 0);
    const contents: [Operand, Uint8Array][] = [];
    const place = (
      rows: number,
      columns: number,
      dtype: DType,
      given: Partial<Layout>,
      odd: readonly (readonly [number, number, number])[] = [],
    ) => {
      const { transposed, gap: lead, step, offset, one } = { ...PLAIN, ...given };
      const [lines, length] = transposed ? [columns, rows] : [rows, columns];
      const line = length * step + lead;
      const count = one ? 1 : batch;
      const raw = Float64Array.from({ length: offset + count * lines * line }, () => random() * 2 - 1);
      const at = (z: number, i: number, j: number): number =>
        offset + (one ? 0 : z) * lines * line + (transposed ? j * line + i * step : i * line + j * step);
      for (const [i, j, value] of odd) raw[at(0, i, j)] = value;
      const bytes = encode(raw, dtype);
      const whole = context.temporary([raw.length], dtype);
      contents.push([whole, bytes]);
      const values = decode(bytes, dtype);
      const [row, column] = transposed ? [step, line] : [line, step];
      const operand: Operand = { ...whole, shape: [batch, rows, columns], strides: [one ? 0 : lines * line, row, column], offset };
      return { operand, value: (z: number, i: number, j: number): number => values[at(z, i, j)]! };
    };
    const left = place(m, k, dtypes[0], a, special.a);
    const right = place(k, n, dtypes[1], b, special.b);
    const ldc = n + gap;
    const c = context.temporary([batch * m * ldc + 8], "f32");
    const before = Float32Array.from({ length: batch * m * ldc + 8 }, () => random() * 2 - 1);
    contents.push([c, new Uint8Array(before.buffer)]);
    const to = { ...c, shape: [batch, m, n], strides: [m * ldc, ldc, 1], offset: 4 };
    const run = lowerProduct(left.operand, right.operand, to, context, { alpha, accumulate });
    const arena = memory.allocate(layout.bytes);
    const addresses = Int32Array.from(context.temporaries, (offset) => arena.address + offset);
    for (const [operand, bytes] of contents) memory.bytes.set(bytes, addressOf(operand, addresses));
    run(addresses);
    const got = memory.floats.slice(addressOf(c, addresses) >>> 2, (addressOf(c, addresses) >>> 2) + before.length);
    memory.release(arena);
    context.dispose();

    const wrong: string[] = [];
    const own = new Set<number>();
    for (let z = 0; z < batch; z++)
      for (let i = 0; i < m; i++)
        for (let j = 0; j < n; j++) {
          const at = 4 + z * m * ldc + i * ldc + j;
          own.add(at);
          let [sum, size] = [0, 0];
          for (let p = 0; p < k; p++) {
            const term = left.value(z, i, p) * right.value(z, p, j);
            sum += term;
            size += Math.abs(term);
          }
          const want = alpha * sum + (accumulate ? before[at]! : 0);
          // A sum of k products, and one sum and one product more, each rounded: γ of Higham, §3.1, on the sum of magnitudes.
          const bound = (k + 3) * 2 ** -24 * (Math.abs(alpha) * size + (accumulate ? Math.abs(before[at]!) : 0)) + 1e-30;
          const fits = Number.isFinite(want) ? Math.abs(got[at]! - want) <= bound : Object.is(got[at]!, want);
          if (!fits) wrong.push(`[${z}, ${i}, ${j}]: ${got[at]} for ${want}`);
        }
    before.forEach((v, i) => {
      if (!own.has(i) && got[i] !== v) wrong.push(`${i - 4} behind the start, which is not its own, was written`);
    });
    expect(wrong.slice(0, 3), `${m}×${k}·${k}×${n}`).toEqual([]);
  }

  it.each(Array.from({ length: 17 }, (_, i) => i + 1))("%i rows, in every transpose and format", (m) => {
    for (const [k, n] of [
      [1, 1],
      [7, 5],
      [8, 4],
      [37, 13],
      [70, 66],
    ] as const)
      for (const ta of [false, true])
        for (const tb of [false, true])
          for (const dtypes of [
            ["f32", "f32"],
            ["f32", "bf16"],
            ["bf16", "bf16"],
            ["f16", "f16"],
            ["f16", "f32"],
          ] as const)
            check({ m, k, n, dtypes, a: { transposed: ta }, b: { transposed: tb } });
  });

  it("any sizes, strides, offsets, batches, factors", () => {
    for (let i = 0; i < 400; i++) {
      const layout = (): Partial<Layout> => ({
        transposed: random() < 0.5,
        gap: pick([0, 0, 1, 5]),
        step: pick([1, 1, 1, 2]),
        offset: pick([0, 1, 3, 8]),
        one: random() < 0.3,
      });
      check({
        m: pick([1, 1, 2, 3, 4, 5, 8, 9, 16, 17, 20, 33]),
        k: pick([1, 2, 3, 4, 8, 9, 16, 31, 64, 130]),
        n: pick([1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 40]),
        batch: pick([1, 1, 2, 3]),
        dtypes: [pick(["f32", "f32", "bf16", "f16"]), pick(["f32", "f32", "bf16", "f16"])],
        a: layout(),
        b: layout(),
        gap: pick([0, 0, 3]),
        alpha: pick([1, 1, -0.5, 3]),
        accumulate: random() < 0.3,
      });
    }
  });

  it("more than one block in every direction", () => {
    for (const transposed of [false, true]) {
      check({ m: 1, k: 16384 + 11, n: 9, b: { transposed } });
      check({ m: 3, k: 1024 + 9, n: 9, b: { transposed }, dtypes: ["f32", "bf16"] });
      check({ m: 16, k: 2100, n: 7, b: { transposed } });
      check({ m: 2, k: 20, n: 530, b: { transposed } });
      check({ m: 130, k: 260, n: 20, b: { transposed } });
      check({ m: 17, k: 260, n: 270, b: { transposed }, a: { transposed: true } });
      check({ m: 135, k: 20, n: 300, b: { transposed } });
      check({ m: 300, k: 40, n: 3, b: { transposed } });
    }
  });

  it("only what an infinity or NaN takes part in is infinite or NaN", () => {
    for (const value of [Infinity, -Infinity, NaN])
      for (const m of [1, 2, 3, 17])
        for (const transposed of [false, true])
          for (const dtype of ["f32", "bf16", "f16"] as const)
            for (const k of [19, 24])
              check({ m, k, n: 21, dtypes: [dtype, dtype], b: { transposed }, special: { b: [[k - 1, 20, value]], a: [[0, 0, 0.5]] } });
  });

  it("nothing in, nothing out", () => {
    check({ m: 3, k: 0, n: 4 });
    check({ m: 3, k: 0, n: 4, accumulate: true });
    check({ m: 0, k: 3, n: 4 });
    check({ m: 2, k: 3, n: 4, batch: 0 });
  });
});
