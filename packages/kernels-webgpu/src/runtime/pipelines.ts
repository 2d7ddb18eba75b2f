import { DeviceError } from "@weft/tensor-core";
import type { Dispatch } from "../kernels/kernel.js";
import { COMPUTE_STAGE } from "./usage.js";

/** Pipelines by their WGSL (which holds everything that changes the shader) and bind-group layouts by their kinds of bindings. */
export class PipelineCache {
  private readonly device: GPUDevice;
  private readonly pipelines = new Map<string, Promise<GPUComputePipeline>>();
  private readonly layouts = new Map<string, { group: GPUBindGroupLayout; pipeline: GPUPipelineLayout }>();

  constructor(device: GPUDevice) {
    this.device = device;
  }

  /** Number of shaders compiled so far. */
  get size(): number {
    return this.pipelines.size;
  }

  layout(dispatch: Dispatch): { group: GPUBindGroupLayout; pipeline: GPUPipelineLayout } {
    const signature = dispatch.bindings.map((b) => (b.writable ? "w" : "r")).join("");
    let layout = this.layouts.get(signature);
    if (!layout) {
      const types: GPUBufferBindingType[] = [
        "uniform",
        ...dispatch.bindings.map((b) => (b.writable ? "storage" : "read-only-storage") as GPUBufferBindingType),
      ];
      const group = this.device.createBindGroupLayout({
        entries: types.map((type, binding) => ({ binding, visibility: COMPUTE_STAGE, buffer: { type } })),
      });
      layout = { group, pipeline: this.device.createPipelineLayout({ bindGroupLayouts: [group] }) };
      this.layouts.set(signature, layout);
    }
    return layout;
  }

  /** @throws DeviceError kind `shader` with the compiler's message. */
  get(dispatch: Dispatch): Promise<GPUComputePipeline> {
    let pipeline = this.pipelines.get(dispatch.source);
    if (!pipeline) {
      pipeline = this.compile(dispatch);
      this.pipelines.set(dispatch.source, pipeline);
      pipeline.catch(() => this.pipelines.delete(dispatch.source));
    }
    return pipeline;
  }

  private async compile({ name, source, ...rest }: Dispatch): Promise<GPUComputePipeline> {
    const layout = this.layout({ name, source, ...rest }).pipeline;
    this.device.pushErrorScope("validation");
    const module = this.device.createShaderModule({ code: source, label: name });
    const invalid = this.device.popErrorScope();
    try {
      const pipeline = await this.device.createComputePipelineAsync({ layout, compute: { module, entryPoint: "main" }, label: name });
      await invalid;
      return pipeline;
    } catch (cause) {
      const details = (await invalid)?.message ?? (cause as Error).message;
      throw new DeviceError(`kernel ${name} does not compile: ${details}`, { kind: "shader", cause });
    }
  }
}
