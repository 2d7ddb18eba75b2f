/// <reference lib="esnext.disposable" preserve="true" />
import type { Backend, BackendBuffer, Executable } from "./backend.js";
import { decode, rawView } from "./convert/storage.js";
import { bytesPerElement, type DType } from "./dtype.js";
import { DeviceError } from "./errors.js";
import { makeNode, type Realized, Tensor, topologicalOrder } from "./graph.js";
import { fromBytes, type NestedArray, tensor, type TensorOptions } from "./ops/create.js";
import { createReferenceBackend } from "./reference/backend.js";
import { planGraph } from "./plan/plan-graph.js";
import type { Shape } from "./shape.js";
import { graphInputs } from "./passes/rewrite.js";

/** Frees memory on a device when the handle that owned it is collected. */
const collected = new FinalizationRegistry<{ backend: Backend; buffer: BackendBuffer }>(({ backend, buffer }) => {
  backend.free(buffer);
});

/** Where graphs run: a backend and the tensors that lie in its memory. There is no global device; make one and pass it on. */
export class Device {
  readonly backend: Backend;
  private readonly uploads = new WeakMap<object, BackendBuffer>();
  private disposed = false;

  constructor(backend: Backend) {
    this.backend = backend;
  }

  get name(): string {
    return this.backend.name;
  }

  /** A constant that belongs to this device: graphs that use it run here. */
  tensor(values: NestedArray | Float32Array | Int32Array | Float64Array, options: Omit<TensorOptions, "device"> = {}): Tensor {
    return tensor(values, { ...options, device: this });
  }

  /** A constant over stored bytes, not copied. */
  fromBytes(bytes: Uint8Array, shape: Shape, dtype: DType): Tensor {
    return fromBytes(bytes, shape, dtype, this);
  }

  /** Computes the tensors, all in one plan, and keeps them in the device's memory. What is known already is not computed again. */
  async evaluate(tensors: readonly Tensor[]): Promise<void> {
    this.check();
    const open = tensors.filter((t) => t.node.op !== "constant" && !this.realizedHere(t));
    if (open.length === 0) return;
    const { plan, leaves } = planGraph(open, [], (call) => this.backend.claims(call));
    const executable = await this.backend.lower(plan);
    try {
      const results = await this.execute(executable, leaves);
      open.forEach((t, i) => (t.node.realized[t.index] = results[i]!.node.realized[0]));
    } finally {
      executable.dispose();
    }
  }

  /** Runs a lowered plan on the memory of `leaves`; the results are tensors in this device's memory. */
  async execute(executable: Executable, leaves: readonly Tensor[]): Promise<Tensor[]> {
    const { plan } = executable;
    const inputs = leaves.map((t) => this.bufferOf(t));
    const buffers = plan.outputs.map(({ buffer }) => this.backend.allocate(plan.buffers[buffer]!.bytes));
    await this.backend.run(executable, inputs, buffers);
    return plan.outputs.map(({ shape, dtype }, i) => this.adopt(buffers[i]!, shape, dtype));
  }

  /** A tensor over a buffer of this device; the buffer is freed when the tensor is collected. */
  adopt(buffer: BackendBuffer, shape: Shape, dtype: DType): Tensor {
    const node = makeNode("input", [], {}, [{ shape, dtype }], { device: this });
    node.realized[0] = { device: this, buffer };
    collected.register(node.realized[0], { backend: this.backend, buffer }, node.realized[0]);
    return new Tensor(node);
  }

  /** The buffer of a constant or computed tensor; constants are uploaded once. @throws DeviceError if it lies nowhere. */
  bufferOf(t: Tensor): BackendBuffer {
    const here = this.realizedHere(t);
    if (here) return here.buffer;
    // What the reference device has computed lies in host memory, as constants do.
    const onHost = t.node.realized[t.index];
    const bytes = t.node.bytes ?? (onHost && onHost.device === fallback ? onHost.device.backend.view?.(onHost.buffer) : undefined);
    if (!bytes)
      throw new DeviceError(`${t} has no value: it is a place-holder of a trace or lies on another device`, {
        hint: "pass it as an argument of the compiled function",
      });
    let buffer = this.uploads.get(t.node);
    if (!buffer) {
      buffer = this.backend.allocate(Math.max(1, bytes.byteLength));
      this.backend.upload(buffer, bytes);
      this.uploads.set(t.node, buffer);
      collected.register(t.node, { backend: this.backend, buffer }, t.node);
    }
    return buffer;
  }

  /**
   * Frees a tensor's memory on this device now, instead of when it is collected. The collector does not see how large that memory is, so
   * loops over compiled functions must dispose of what they are done with. A constant is uploaded again if it is used once more.
   */
  release(t: Tensor): void {
    const here = this.realizedHere(t);
    if (here) {
      collected.unregister(here);
      this.backend.free(here.buffer);
      t.node.realized[t.index] = undefined;
    }
    const upload = this.uploads.get(t.node);
    if (!upload) return;
    collected.unregister(t.node);
    this.uploads.delete(t.node);
    this.backend.free(upload);
  }

  /** The stored bytes of a tensor, computed first if need be. */
  async bytes(t: Tensor): Promise<Uint8Array> {
    if (t.node.bytes) return t.node.bytes;
    await this.evaluate([t]);
    return this.backend.download(this.bufferOf(t), 0, t.size * bytesPerElement(t.dtype));
  }

  /** Frees everything that the backend holds. */
  dispose(): void {
    this.disposed = true;
    this.backend.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private realizedHere(t: Tensor): Realized | undefined {
    const realized = t.node.realized[t.index];
    return realized?.device === this ? realized : undefined;
  }

  private check(): void {
    if (this.disposed) throw new DeviceError(`device ${this.name} is used after dispose()`);
  }
}

let fallback: Device | undefined;

/** The reference device: plain code, on every machine. Graphs whose leaves belong to no device run here. */
export function referenceDevice(): Device {
  fallback ??= new Device(createReferenceBackend());
  return fallback;
}

/** The one device that the leaves of a graph belong to; tensors of the reference device go with any other. @throws DeviceError if there are two. */
export function deviceOf(tensors: readonly Tensor[]): Device {
  let found: Device | undefined;
  for (const { device, realized } of topologicalOrder(tensors, graphInputs)) {
    for (const d of [device, ...realized.map((r) => r?.device)]) {
      if (d === fallback) continue;
      if (d && found && d !== found)
        throw new DeviceError(`tensors of two devices meet in one graph: ${found.name} and ${d.name}`, {
          hint: "move one of them with device.tensor(await t.data(), …)",
        });
      found ??= d;
    }
  }
  return found ?? referenceDevice();
}

/** Computes tensors together, on the device that their leaves belong to. */
export async function evaluate(...tensors: Tensor[]): Promise<void> {
  await deviceOf(tensors).evaluate(tensors);
}

/** The values of a tensor as numbers: Float32Array for floats, Int32Array for integers and bool. Computes what is needed. */
export async function dataOf(t: Tensor): Promise<Float32Array | Int32Array> {
  const bytes = await deviceOf([t]).bytes(t);
  if (t.dtype === "f32") return (rawView(bytes, "f32") as Float32Array).slice();
  if (t.dtype === "i32") return (rawView(bytes, "i32") as Int32Array).slice();
  const values = decode(bytes, t.dtype);
  return t.dtype === "i8" || t.dtype === "u8" || t.dtype === "bool" ? Int32Array.from(values) : Float32Array.from(values);
}
