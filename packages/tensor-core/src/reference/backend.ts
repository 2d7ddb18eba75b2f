import type { Backend, BackendBuffer, Executable } from "../backend.js";
import { DeviceError } from "../errors.js";
import type { Plan, Step } from "../plan/plan.js";
import { stepName } from "../plan/step-name.js";
import { runReferenceOp } from "./op.js";
import { runProgram } from "./program.js";
import type { Memory } from "./views.js";

interface HostBuffer extends BackendBuffer {
  data: Uint8Array | undefined;
}

interface ReferenceExecutable extends Executable {
  readonly scratch: Uint8Array;
}

/** Runs one step on host memory by plain code. */
export function runReferenceStep(memory: Memory, step: Step): void {
  if (step.kind === "fused") runProgram(memory, step.program, step.inputs, step.outputs);
  else if (step.kind === "op") runReferenceOp(memory, step.op, step.attrs, step.inputs, step.outputs[0]!);
  else throw new DeviceError(`the reference backend claims no composites, but the plan has "${step.op}"`);
}

/** The oracle: plain loops in f64 on host memory, no composites claimed. Slow; correct by being obvious. */
export function createReferenceBackend(): Backend {
  const bytesOf = (buffer: BackendBuffer): Uint8Array => {
    const { data } = buffer as HostBuffer;
    if (!data) throw new DeviceError("buffer is used after it was freed");
    return data;
  };
  return {
    name: "reference",
    capabilities: { maxBufferBytes: 2 ** 32, threads: 1, hostVisible: true },
    allocate: (bytes): HostBuffer => ({ bytes, data: new Uint8Array(bytes) }),
    free: (buffer) => void ((buffer as HostBuffer).data = undefined),
    upload: (buffer, data, offset = 0) => bytesOf(buffer).set(data, offset),
    download: async (buffer, offset, bytes) => bytesOf(buffer).slice(offset, offset + bytes),
    view: bytesOf,
    claims: () => false,
    lower: (plan): ReferenceExecutable => ({
      plan,
      kernels: plan.steps.map(stepName),
      scratch: new Uint8Array(plan.scratchBytes),
      dispose() {},
    }),
    run(executable, inputs, outputs) {
      const { plan, scratch } = executable as ReferenceExecutable;
      const memory = bindMemory(plan, scratch, inputs.map(bytesOf), outputs.map(bytesOf));
      for (const step of plan.steps) runReferenceStep(memory, step);
    },
    dispose() {},
  };
}

/** Where each buffer of a plan lies, given the bytes of its inputs and outputs and of the arena. */
function bindMemory(plan: Plan, scratch: Uint8Array, inputs: readonly Uint8Array[], outputs: readonly Uint8Array[]): Memory {
  const bound = new Map<number, Uint8Array>();
  plan.inputs.forEach((id, i) => bound.set(id, inputs[i]!));
  plan.outputs.forEach(({ buffer }, i) => bound.set(buffer, outputs[i]!));
  return (id) => {
    const spec = plan.buffers[id]!;
    return spec.role === "scratch" ? scratch.subarray(spec.offset, spec.offset + spec.bytes) : bound.get(id)!;
  };
}
