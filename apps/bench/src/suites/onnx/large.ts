import { createOnnxBackend } from "@weft/kernels-onnx";
import { compile, Device, fromSource, linear, type Tensor } from "@weft/tensor-core";
import type { BenchContext } from "../../context.js";

/** 2.4 GB of f32 in one model, in weights of 302 MB. */
const [LAYERS, SIZE] = [8, 8688];

/** One row through weights of more than 2 GB in all, which no message of Protocol Buffers holds; takes 10 GB of memory and 2.4 GB on disk. */
export async function measureLarge(threads: number, context: BenchContext): Promise<void> {
  const [layers, size] = context.quick ? [2, 256] : [LAYERS, SIZE];
  const device = new Device(await createOnnxBackend({ threads }));
  try {
    // Row r of layer n holds n + 1 at column r, so that each layer multiplies by that.
    const read = (n: number) => (): Uint8Array => {
      const values = new Float32Array(size * size);
      for (let r = 0; r < size; r++) values[r * size + r] = n + 1;
      return new Uint8Array(values.buffer);
    };
    const weights = Array.from({ length: layers }, (_, n) => fromSource({ shape: [size, size], dtype: "f32", device, read: read(n) }));
    const x = device.tensor(new Float32Array(size).fill(1), { shape: [1, size] });
    const start = performance.now();
    const bound = await compile((t: Tensor) => weights.reduce((y, w) => linear(y, w), t), { device }).prepare(x);
    const prepared = performance.now();
    const y = (await (await bound(x)).data()) as Float32Array;
    const expected = weights.reduce((product, _, n) => product * (n + 1), 1);
    const wrong = y.findIndex((v) => v !== expected);
    if (wrong >= 0) throw new Error(`element ${wrong} is ${y[wrong]}, expected ${expected}`);
    const gigabytes = (4 * layers * size * size) / 1e9;
    context.emit({
      suite: "onnx",
      case: `prepare one row through ${gigabytes.toFixed(1)} GB of f32 weights, ${threads} ${threads === 1 ? "thread" : "threads"}`,
      metric: "time",
      value: (prepared - start) / 1000,
      unit: "s",
      anchor: null,
      ratio: null,
    });
  } finally {
    device.dispose();
  }
}
