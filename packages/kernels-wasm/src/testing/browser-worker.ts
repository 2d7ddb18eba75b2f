import { Device, matmul } from "@weft/tensor-core";
import { createWasmBackend } from "../index.js";

/** What the browser test runs in a worker, where waiting is allowed: a product on two threads against one on one. */
async function run(): Promise<{ threads: number; gap: number } | { error: string }> {
  const n = 192;
  const values = Float32Array.from({ length: n * n }, (_, i) => Math.sin(i * 0.37));
  const product = async (threads: number): Promise<{ threads: number; data: Float32Array }> => {
    const backend = await createWasmBackend({ threads });
    const device = new Device(backend);
    const x = device.tensor(values, { shape: [n, n] });
    const data = (await matmul(x, x).data()) as Float32Array;
    device.dispose();
    return { threads: backend.capabilities.threads, data };
  };
  const [one, two] = [await product(1), await product(2)];
  return { threads: two.threads, gap: two.data.reduce((worst, v, i) => Math.max(worst, Math.abs(v - one.data[i]!)), 0) };
}

run().then(
  (result) => postMessage(result),
  (error: unknown) => postMessage({ error: String(error) }),
);
