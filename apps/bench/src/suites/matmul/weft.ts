import { createWasmBackend } from "@weft/kernels-wasm";
import { compile, Device, matmul, type Operand, type Tensor } from "@weft/tensor-core";
import { timeCalls } from "../../turns.js";
import type { Engine } from "./engine.js";

/** kernels-wasm with a compiled plan on memory that is allocated before. */
export async function weftEngine(threads: number, relaxed: boolean): Promise<Engine> {
  const device = new Device(await createWasmBackend({ threads, relaxed }));
  const { backend } = device;
  const name = `weft ${threads} ${threads === 1 ? "thread" : "threads"}${relaxed ? " relaxed" : ""}`;
  return {
    name,
    async prepare({ m, k, n, a, b }) {
      const inputs = [device.tensor(a, { shape: [m, k] }), device.tensor(b, { shape: [k, n] })] as const;
      const product = compile((x: Tensor, y: Tensor) => matmul(x, y), { device });
      const { executable } = await product.prepare(...inputs);
      const { plan } = executable;
      const [{ buffer: id }] = plan.outputs as [Operand];
      const output = backend.allocate(plan.buffers[id]!.bytes);
      // The tensors stay referenced: their memory is freed when they are collected.
      const run = (): void | Promise<void> => backend.run(executable, [device.bufferOf(inputs[0]), device.bufferOf(inputs[1])], [output]);
      return {
        name,
        turn: (seconds) => timeCalls(run, seconds),
        async result() {
          await run();
          const bytes = await backend.download(output, 0, m * n * 4);
          return new Float32Array(bytes.buffer, bytes.byteOffset, m * n);
        },
        release() {
          product.dispose();
          backend.free(output);
        },
      };
    },
    dispose: () => device.dispose(),
  };
}
