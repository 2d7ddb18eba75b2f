import { createWebGpuBackend, type CompositeKernel, type Dispatch, secondsPerRun, type WebGpuBackend } from "@weft/kernels-webgpu";
import { callComposite, Device, planGraph, type Tensor } from "@weft/tensor-core";

/** What a GPU can do at most, as measured: the two lines of its roofline. */
export interface Peaks {
  /** f32 operations per second, a multiply-add being two. */
  readonly flops: number;
  /** Bytes per second, read and written together. */
  readonly bandwidth: number;
}

const THREADS = 256;
/** Chains of multiply-adds of four numbers per thread: enough that none waits for the one before. */
const CHAINS = 8;

/** Every element is read, worked on and written; `body` is WGSL over `x`, a vec4. */
function overFours(name: string, body: string): CompositeKernel {
  return {
    claims: () => true,
    lower({ inputs, outputs }, context): Dispatch[] {
      const fours = inputs[0]!.shape[0]! / 4;
      const groups = Math.ceil(fours / THREADS);
      const rows = Math.ceil(groups / context.limits.maxGroups);
      return [
        {
          name,
          source: `@group(0) @binding(0) var<uniform> P: vec4<u32>;
@group(0) @binding(1) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> result: array<vec4<f32>>;
@compute @workgroup_size(${THREADS})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) n: vec3<u32>) {
  let i = id.x + id.y * n.x * ${THREADS}u;
  if (i >= P.x) { return; }
  var x = source[i];
  ${body}
  result[i] = x;
}`,
          params: new Uint8Array(Uint32Array.of(fours, 0, 0, 0).buffer),
          bindings: [
            { ...context.binding(inputs[0]!.buffer), writable: false },
            { ...context.binding(outputs[0]!.buffer), writable: true },
          ],
          groups: [Math.ceil(groups / rows), rows, 1],
        },
      ];
    },
  };
}

function multiplyAdds(steps: number): CompositeKernel {
  const chains = [...Array(CHAINS).keys()];
  const body = [
    ...chains.map((c) => `var a${c} = x + ${c}.5;`),
    `for (var k = 0u; k < ${steps}u; k++) {`,
    ...chains.map((c) => `a${c} = fma(a${c}, x, x);`),
    "}",
    `x = ${chains.map((c) => `a${c}`).join(" + ")};`,
  ].join("\n");
  return overFours("peak flops", body);
}

async function seconds(gpu: GPUDevice, kernel: CompositeKernel, elements: number): Promise<number> {
  const backend: WebGpuBackend = await createWebGpuBackend(gpu, { kernels: { ops: {}, composites: { peak: kernel } } });
  const device = new Device(backend);
  try {
    const x = device.tensor(new Float32Array(elements).fill(0.25));
    const same = callComposite({ name: "peak", decompose: ([t]) => [t as Tensor] }, [x]);
    const { plan, leaves } = planGraph(same, [], (call) => backend.claims(call));
    const executable = await backend.lower(plan);
    const outputs = plan.outputs.map(({ buffer }) => backend.allocate(plan.buffers[buffer]!.bytes));
    const inputs = leaves.map((t) => device.bufferOf(t));
    return await secondsPerRun(backend, executable, inputs, outputs, { rounds: 5, seconds: 0.05 });
  } finally {
    device.dispose();
  }
}

/** Measures a device: multiply-adds in registers, and a copy of more than its caches hold. */
export async function measurePeaks(gpu: GPUDevice, small: boolean): Promise<Peaks> {
  const [threads, steps, elements] = small ? [2 ** 12, 64, 2 ** 18] : [2 ** 20, 1024, 2 ** 25];
  const operations = threads * steps * CHAINS * 4 * 2;
  return {
    flops: operations / (await seconds(gpu, multiplyAdds(steps), 4 * threads)),
    bandwidth: (2 * 4 * elements) / (await seconds(gpu, overFours("peak bandwidth", ""), elements)),
  };
}
