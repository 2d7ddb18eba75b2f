import { type Arena, DeviceError, type Executable, type Footprint, type Plan, withFootprint } from "@weft/tensor-core";
import type { Dispatch, KernelLimits } from "../kernels/kernel.js";
import { lowerStep, type KernelTable } from "../kernels/index.js";
import type { BufferPool, GpuBuffer } from "./buffers.js";
import type { Faults } from "./faults.js";
import type { PipelineCache } from "./pipelines.js";
import { PassClock } from "./pass-clock.js";
import { type Place, PlanBuilder } from "./plan-builder.js";
import { align, USAGE } from "./usage.js";

/** Bind groups kept per dispatch: outputs of a run come from a pool and take turns. */
const GROUPS_KEPT = 8;

export interface Runtime {
  readonly device: GPUDevice;
  readonly pool: BufferPool;
  readonly arena: Arena<GpuBuffer>;
  readonly pipelines: PipelineCache;
  readonly faults: Faults;
  readonly limits: KernelLimits;
  readonly kernels: KernelTable;
}

interface Call {
  readonly dispatch: Dispatch;
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  readonly places: readonly Place[];
  readonly params: { readonly offset: number; readonly size: number };
  readonly groups: Map<string, GPUBindGroup>;
}

interface WrittenPlan {
  readonly dispatches: readonly Dispatch[];
  /** Where the parameters of each dispatch begin in the plan's uniform buffer. */
  readonly offsets: readonly number[];
  readonly footprint: Footprint;
  readonly builder: PlanBuilder;
}

/** Writes the shaders and parameters of a plan; nothing is compiled or allocated. */
export function writePlan({ device, limits, kernels }: Runtime, plan: Plan): WrittenPlan {
  const builder = new PlanBuilder(plan, limits);
  const dispatches = plan.steps.flatMap((step, at) => builder.step(at, () => lowerStep(step, builder, kernels)));
  const unit = device.limits.minUniformBufferOffsetAlignment;
  let size = 0;
  const offsets = dispatches.map((d) => {
    const at = size;
    size = align(size + d.params.byteLength, unit);
    return at;
  });
  return { dispatches, offsets, builder, footprint: { arenaBytes: builder.arenaBytes, ownBytes: Math.max(size, unit) } };
}

/** A plan as dispatches with compiled pipelines, parameters on the GPU and bind groups by buffer. */
export class WebGpuExecutable implements Executable {
  readonly plan: Plan;
  readonly kernels: readonly string[];
  /** Bytes of arena that it uses: the plan's scratch and temporaries of its kernels. */
  readonly arenaBytes: number;
  private readonly runtime: Runtime;
  private readonly calls: readonly Call[];
  private readonly parameters: ReturnType<BufferPool["reserve"]>;
  private readonly withdraw: () => void;
  private disposed = false;

  private constructor(runtime: Runtime, plan: Plan, calls: readonly Call[], { offsets, footprint }: WrittenPlan) {
    this.runtime = runtime;
    this.plan = withFootprint(plan, footprint);
    this.calls = calls;
    this.kernels = calls.map((c) => c.dispatch.name);
    this.arenaBytes = footprint.arenaBytes;
    const { pool, arena, faults, device } = runtime;
    const packed = new Uint8Array(footprint.ownBytes);
    calls.forEach(({ dispatch }, i) => packed.set(dispatch.params, offsets[i]!));
    this.parameters = pool.reserve(packed.byteLength, USAGE.uniform | USAGE.copyTarget, "parameters");
    try {
      faults.guard(
        () => "writing the parameters of a plan",
        () => device.queue.writeBuffer(this.parameters.gpu, 0, packed),
      );
      this.withdraw = arena.claim(footprint.arenaBytes);
    } catch (error) {
      this.parameters.release();
      throw error;
    }
  }

  static async lower(runtime: Runtime, plan: Plan): Promise<WebGpuExecutable> {
    const written = writePlan(runtime, plan);
    const { dispatches, offsets, builder } = written;
    const pipelines = await Promise.all(dispatches.map((d) => runtime.pipelines.get(d)));
    const calls = dispatches.map((dispatch, i): Call => ({
      dispatch,
      pipeline: pipelines[i]!,
      layout: runtime.pipelines.layout(dispatch).group,
      places: dispatch.bindings.map((b) => builder.place(b.buffer)),
      params: { offset: offsets[i]!, size: dispatch.params.byteLength },
      groups: new Map(),
    }));
    return new WebGpuExecutable(runtime, plan, calls, written);
  }

  /** Encodes all dispatches into one command buffer and submits it; returns before the GPU is done. */
  run(inputs: readonly GpuBuffer[], outputs: readonly GpuBuffer[]): void {
    if (this.calls.length > 0) this.submit([...inputs, ...outputs], 1, {});
  }

  /**
   * Runs the plan `repeats` times in one pass and measures it by the GPU's own clock.
   * @returns seconds per run
   * @throws CapabilityError kind `no-timestamps` if the device has none
   */
  async time(inputs: readonly GpuBuffer[], outputs: readonly GpuBuffer[], repeats: number): Promise<number> {
    const clock = new PassClock(this.runtime.device);
    try {
      this.submit([...inputs, ...outputs], repeats, { timestampWrites: clock.writes }, (encoder) => clock.resolve(encoder));
      return (await clock.seconds()) / repeats;
    } finally {
      clock.dispose();
    }
  }

  private submit(
    bound: readonly GpuBuffer[],
    repeats: number,
    descriptor: GPUComputePassDescriptor,
    finish: (encoder: GPUCommandEncoder) => void = () => undefined,
  ): void {
    const { device, arena, faults } = this.runtime;
    const used = bound.find((b) => b.freed);
    if (used) throw new DeviceError(`buffer ${used.id} is used after it was freed`);
    const scratch = arena.buffer;
    faults.guard(
      () => `running a plan of ${this.calls.length} kernels`,
      () => {
        const encoder = device.createCommandEncoder();
        const pass = encoder.beginComputePass(descriptor);
        let last: GPUComputePipeline | undefined;
        for (let i = 0; i < repeats; i++) {
          for (const call of this.calls) {
            if (call.pipeline !== last) pass.setPipeline((last = call.pipeline));
            pass.setBindGroup(0, this.bindGroup(call, bound, scratch));
            pass.dispatchWorkgroups(...call.dispatch.groups);
          }
        }
        pass.end();
        finish(encoder);
        device.queue.submit([encoder.finish()]);
      },
    );
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.parameters.release();
    this.withdraw();
  }

  private bindGroup(call: Call, bound: readonly GpuBuffer[], scratch: GpuBuffer | undefined): GPUBindGroup {
    let key = "";
    for (const place of call.places) key += "bound" in place ? `${bound[place.bound]!.id},` : `${scratch!.id},`;
    let group = call.groups.get(key);
    if (!group) {
      if (call.groups.size >= GROUPS_KEPT) call.groups.delete(call.groups.keys().next().value!);
      const entries = call.places.map((place, i): GPUBindGroupEntry => {
        const resource =
          "bound" in place
            ? { buffer: bound[place.bound]!.gpu, offset: place.begin, size: place.bytes }
            : { buffer: scratch!.gpu, offset: place.offset, size: place.bytes };
        return { binding: i + 1, resource };
      });
      entries.unshift({ binding: 0, resource: { buffer: this.parameters.gpu, ...call.params } });
      group = this.runtime.device.createBindGroup({ layout: call.layout, entries });
      call.groups.set(key, group);
    }
    return group;
  }
}
