/// <reference lib="esnext.disposable" preserve="true" />
import type { Backend, BackendBuffer, Executable } from "./backend.js";
import { decode, rawView } from "./convert/storage.js";
import { bytesPerElement, type DType } from "./dtype.js";
import { DeviceError } from "./errors.js";
import { Node, Tensor, topologicalOrder } from "./graph.js";
import { fromBytes, type NestedArray, tensor, type TensorOptions } from "./ops/create.js";
import { graphInputs, isLeaf } from "./passes/rewrite.js";
import { planGraph } from "./plan/plan-graph.js";
import { createReferenceBackend } from "./reference/backend.js";
import type { Shape } from "./shape.js";
import { type Place, Storage } from "./storage.js";
import type { TensorSpec } from "./tensor-spec.js";

const buffersOf = (storages: readonly Storage[]): BackendBuffer[] => storages.map((s) => s.buffer);

/** Where graphs run: a backend and the tensors that lie in its memory. There is no global device; make one and pass it on. */
export class Device implements Place {
  readonly backend: Backend;
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

  /**
   * Computes the tensors, all in one plan, and keeps them in the device's memory. What is known already is not computed again. A computed tensor
   * forgets what it was made of: gradients do not go through it (`gradients` says so where they would have).
   */
  async evaluate(tensors: readonly Tensor[]): Promise<void> {
    this.check();
    const open = [...new Set(tensors.filter((t) => !isLeaf(t.node)).map((t) => t.node))];
    if (open.length === 0) return;
    const outputs = open.flatMap((node) => node.outputs.map((_, i) => new Tensor(node, i)));
    const { plan, results, leaves } = planGraph(outputs, [], (call) => this.backend.claims(call), { share: true });
    const inputs = this.hold(leaves);
    let storages: readonly Storage[];
    try {
      const executable = await this.backend.lower(plan);
      try {
        const written = this.outputsOf(executable);
        await this.run(executable, inputs, written);
        storages = results.map((place) => ("output" in place ? written[place.output]! : inputs[place.input]!).retain());
        for (const storage of written) storage.release();
      } finally {
        executable.dispose();
      }
    } finally {
      for (const storage of inputs) storage.release();
    }
    let next = 0;
    for (const node of open) {
      const mine = node.outputs.map(() => storages[next++]!);
      // Another evaluation may have been faster.
      if (node.computed) for (const storage of mine) storage.release();
      else node.settle(this, mine, topologicalOrder([new Tensor(node)], graphInputs).filter(isLeaf));
    }
  }

  /** Runs a lowered plan on the memory of `leaves`; the results are tensors in this device's memory. */
  async execute(executable: Executable, leaves: readonly Tensor[]): Promise<Tensor[]> {
    const inputs = this.hold(leaves);
    const { outputs } = executable.plan;
    try {
      const written = this.outputsOf(executable);
      await this.run(executable, inputs, written);
      return outputs.map(({ shape, dtype }, i) => this.result(written[i]!, [{ shape, dtype }]));
    } finally {
      for (const storage of inputs) storage.release();
    }
  }

  /** New memory for the outputs of a plan; the caller is its holder. @throws DeviceError kind `out-of-memory`; nothing stays allocated then */
  outputsOf({ plan }: Executable): Storage[] {
    const outputs: Storage[] = [];
    try {
      for (const { buffer } of plan.outputs) outputs.push(Storage.allocate(this, plan.buffers[buffer]!.bytes));
      return outputs;
    } catch (error) {
      for (const storage of outputs) storage.release();
      throw error;
    }
  }

  /**
   * Runs a lowered plan on memory that the caller holds until it is done; at once where the backend runs at once. If it fails, it lets go of the
   * outputs for the caller.
   */
  run(executable: Executable, inputs: readonly Storage[], outputs: readonly Storage[]): void | Promise<void> {
    const failed = (error: unknown): never => {
      for (const storage of outputs) storage.release();
      throw error;
    };
    try {
      const running = this.backend.run(executable, buffersOf(inputs), buffersOf(outputs));
      return running && running.catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  /** A tensor over a buffer of this device; it belongs to the tensor, and is freed when that is disposed of or collected. */
  adopt(buffer: BackendBuffer, shape: Shape, dtype: DType): Tensor {
    return this.result(new Storage(this, buffer), [{ shape, dtype }]);
  }

  /** The buffer of a constant or computed tensor; constants are uploaded once. @throws DeviceError if it lies nowhere, or on another device */
  bufferOf(t: Tensor): BackendBuffer {
    const [storage] = this.hold([t]) as [Storage];
    // The node keeps it.
    storage.release();
    return storage.buffer;
  }

  /**
   * The memory of constants and computed tensors, constants uploaded; the caller holds a reference to each until it releases it.
   * @throws DeviceError for what lies nowhere (kinds `disposed`, `donated`) or on another device (kind `other-device`)
   */
  hold(tensors: readonly Tensor[]): Storage[] {
    const held: Storage[] = [];
    try {
      for (const t of tensors) held.push((t.node.storage(t.index, this) ?? this.bring(t)).retain());
      return held;
    } catch (error) {
      for (const storage of held) storage.release();
      throw error;
    }
  }

  /** As `hold`, but computes first what is not known yet; what is known is held from the moment of the call. */
  gather(tensors: readonly Tensor[]): Storage[] | Promise<Storage[]> {
    for (const t of tensors) if (!isLeaf(t.node)) return this.compute(tensors);
    return this.hold(tensors);
  }

  /** Another copy of memory on this device; the caller is its holder. */
  copy(storage: Storage): Storage | Promise<Storage> {
    const { bytes } = storage.buffer;
    const copy = Storage.allocate(this, bytes);
    const fill = (content: Uint8Array): Storage => {
      this.backend.upload(copy.buffer, content);
      return copy;
    };
    const failed = (error: unknown): never => {
      copy.release();
      throw error;
    };
    try {
      const content = this.backend.view?.(storage.buffer);
      return content ? fill(content) : this.backend.download(storage.buffer, 0, bytes).then(fill).catch(failed);
    } catch (error) {
      return failed(error);
    }
  }

  /** Frees a tensor's memory on this device. @see Tensor.dispose */
  release(t: Tensor): void {
    t.node.release(t.index, this);
  }

  /** The stored bytes of a tensor, computed first if need be. */
  async bytes(t: Tensor): Promise<Uint8Array> {
    if (t.node.bytes) return t.node.bytes;
    await this.evaluate([t]);
    const [storage] = this.hold([t]) as [Storage];
    try {
      return await this.backend.download(storage.buffer, 0, t.size * bytesPerElement(t.dtype));
    } finally {
      storage.release();
    }
  }

  /** Frees everything that the backend holds. */
  dispose(): void {
    this.disposed = true;
    this.backend.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** A handle on memory of this device; takes over one reference. */
  result(storage: Storage, spec: readonly [TensorSpec]): Tensor {
    return new Tensor(Node.given(this, storage, spec));
  }

  private async compute(tensors: readonly Tensor[]): Promise<Storage[]> {
    const open = tensors.filter((t) => !isLeaf(t.node));
    const waiting = new Set(open);
    const known = this.hold(tensors.filter((t) => !waiting.has(t)));
    try {
      await this.evaluate(open);
      const computed = this.hold(open);
      let [next, ready] = [0, 0];
      return tensors.map((t) => (waiting.has(t) ? computed[ready++]! : known[next++]!));
    } catch (error) {
      for (const storage of known) storage.release();
      throw error;
    }
  }

  /** Copies to this device what lies in host memory: a constant, or what the reference device has computed. */
  private bring(t: Tensor): Storage {
    const storage = Storage.allocate(this, t.size * bytesPerElement(t.dtype));
    try {
      this.backend.upload(storage.buffer, this.hostBytes(t));
    } catch (error) {
      storage.release();
      throw error;
    }
    t.node.hold(t.index, storage);
    return storage;
  }

  private hostBytes({ node, index }: Tensor): Uint8Array {
    const elsewhere = node.bytes ? node.device : node.storagesOf(index)[0]?.device;
    if (!node.bytes && !elsewhere) throw node.missing(index);
    if (elsewhere && elsewhere !== this && elsewhere !== fallback)
      throw new DeviceError(`${new Tensor(node, index)} lies on the device ${elsewhere.name}, not on ${this.name}`, {
        kind: "other-device",
        hint: "move it with device.tensor(await t.data(), …)",
      });
    // The reference backend lets its memory be seen.
    return node.bytes ?? elsewhere!.backend.view!(node.storage(index, elsewhere!)!.buffer);
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
  let found: Place | undefined;
  for (const { device } of topologicalOrder(tensors, graphInputs)) {
    if (device === fallback) continue;
    if (device && found && device !== found)
      throw new DeviceError(`tensors of two devices meet in one graph: ${found.name} and ${device.name}`, {
        kind: "other-device",
        hint: "move one of them with device.tensor(await t.data(), …)",
      });
    found ??= device;
  }
  // A `Place` of a graph is always a device: there is no other class of them.
  return (found as Device | undefined) ?? referenceDevice();
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
