import { loraLinear, matmul, softmax, tensor, type Tensor } from "@weft/tensor-core";
import { expect, it } from "vitest";
import { createWebGpuDevice } from "./index.js";

const values = (n: number, scale: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin(i * scale));

it("runs in a page as it does in Node", async () => {
  const device = await createWebGpuDevice(navigator.gpu);
  const build = (make: (v: Float32Array, shape: number[]) => Tensor): Tensor => {
    const y = loraLinear(
      make(values(6 * 20, 0.3), [6, 20]),
      make(values(10 * 20, 0.7), [10, 20]),
      make(values(3 * 20, 0.9), [3, 20]),
      make(values(10 * 3, 1.1), [10, 3]),
      0.5,
    );
    return softmax(matmul(y, make(values(10 * 7, 0.2), [10, 7])));
  };
  const got = await build((v, shape) => device.tensor(v, { shape })).data();
  const want = await build((v, shape) => tensor(v, { shape })).data();
  // f32 sums of 20 products, then exp of values below 10.
  want.forEach((v, i) => expect(Math.abs(got[i]! - v)).toBeLessThan(1e-4));
  device.dispose();
});
