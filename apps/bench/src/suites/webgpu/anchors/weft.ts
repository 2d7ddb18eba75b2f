import type { WebGpuBackend } from "@weft/kernels-webgpu";
import { Device, matmul, planGraph } from "@weft/tensor-core";
import { type Anchor, timeQueued } from "./anchor.js";

/** kernels-webgpu by the wall, as the others are measured. */
export function weftAnchor(backend: WebGpuBackend): Anchor {
  const name = "weft";
  return {
    name,
    async prepare({ m, k, n, a, b }) {
      const device = new Device(backend);
      const { plan, leaves } = planGraph(
        [matmul(device.tensor(a, { shape: [m, k] }), device.tensor(b, { shape: [k, n] }))],
        [],
        () => false,
      );
      const executable = await backend.lower(plan);
      const [output] = plan.outputs.map(({ buffer }) => backend.allocate(plan.buffers[buffer]!.bytes));
      const inputs = leaves.map((t) => device.bufferOf(t));
      const run = (): void | Promise<void> => backend.run(executable, inputs, [output!]);
      return {
        name,
        turn: (seconds) => timeQueued(run, () => backend.finish(), seconds),
        async result() {
          await run();
          const bytes = await backend.download(output!, 0, m * n * 4);
          return new Float32Array(bytes.buffer, bytes.byteOffset, m * n);
        },
        release() {
          backend.free(output!);
          for (const t of leaves) device.release(t);
          executable.dispose();
        },
      };
    },
  };
}
