/// <reference lib="esnext.disposable" preserve="true" />
import type { Backend, BackendBuffer, Executable } from "./backend.js";
import { assertDType, bytesPerElement, type DType } from "./dtype.js";
import { DeviceError } from "./errors.js";
import { Node, Tensor } from "./graph.js";
import { type CheckedGraph, type IndexCheck, verifyIndices, withIndexChecks } from "./index-checks.js";
import { fromBytes, type NestedArray, tensor, type TensorOptions } from "./ops/create.js";
import { isLeaf } from "./passes/rewrite.js";
import { PlanCache } from "./plan-cache.js";
import { createReferenceBackend } from "./reference/backend.js";
import type { Shape } from "./shape.js";
import { type Place, Storage } from "./storage.js";
import type { TensorSpec } from "./tensor-spec.js";

/** Bytes of a constant that are read from its source at a time, where it gives rows alone. */
const PIECE_BYTES = 8 << 20;

const byteLengthOf = (t: Tensor): number => t.size * bytesPerElement(t.dtype);

/** What the source of a constant gives. @throws DeviceError kind `source` if that is of another size */
async function bytesOf(t: Tensor): Promise<Uint8Array> {
  return checked(t, await t.node.source!.read(), byteLengthOf(t));
}

function checked(t: Tensor, bytes: Uint8Array, expected: number, what = ""): Uint8Array {
  if (bytes.byteLength === expected) return bytes;
  throw new DeviceError(`${t} takes ${expected} bytes${what}, its source gave ${bytes.byteLength}`, { kind: "source" });
}

/** The bytes of a constant in the order in which they lie, in pieces where its source gives rows alone. @throws DeviceError kind `source` */
async function* piecesOf(t: Tensor): AsyncGenerator<Uint8Array> {
  const { readRows } = t.node.source!;
  const [rows = 0] = t.shape;
  const each = rows === 0 ? 0 : byteLengthOf(t) / rows;
  if (!readRows || byteLengthOf(t) <= PIECE_BYTES) return yield await bytesOf(t);
  const count = Math.max(1, Math.floor(PIECE_BYTES / each));
  for (let start = 0; start < rows; start += count) {
    const stop = Math.min(start + count, rows);
    yield checked(t, await readRows(start, stop), (stop - start) * each, ` in rows ${start}–${stop}`);
  }
}

const buffersOf = (storages: readonly Storage[]): BackendBuffer[] => storages.map((s) => s.buffer);

/** What a device checks besides computing. */
export interface DeviceOptions {
  /**
   * Indices that tensors hold (of `gather` and `scatterAdd`, labels, adapters of a mixed batch) are compared with what they point into, and an
   * evaluation or call that has met one out of range throws an IndexError. The results of that run are discarded. It costs a reduction for each tensor
   * of indices, and waiting for what they say. Without it (the default) such an index has a defined result, the same on every backend.
   */
  readonly checkIndices?: boolean;
}

/** Where graphs run: a backend and the tensors that lie in its memory. There is no global device; make one and pass it on. */
export class Device implements Place {
  readonly backend: Backend;
  private readonly checkIndices: boolean;
  private disposed = false;
  /** Sources that are being read. */
  private readonly reading = new Map<Node, Promise<void>>();

  private readonly plans: PlanCache;

  constructor(backend: Backend, { checkIndices = false }: DeviceOptions = {}) {
    this.backend = backend;
    this.checkIndices = checkIndices;
    this.plans = new PlanCache(backend);
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
   * Computes the tensors, all in one plan, and keeps them in the device's memory. What is known already is not computed again. From now on they are
   * values, which forget what they were made of: loops keep nothing of earlier rounds, and gradients do not go through them (`gradients` says so
   * where they would have). Reading (`data`, `item`) does not forget.
   */
  async evaluate(tensors: readonly Tensor[]): Promise<void> {
    await this.know(tensors);
    for (const { node } of tensors) node.forget();
  }

  /** Computes the tensors that are not known yet, all in one plan, and keeps them in the device's memory, as parts of their graph. */
  async know(tensors: readonly Tensor[]): Promise<void> {
    this.check();
    const open = [...new Set(tensors.filter((t) => !isLeaf(t.node)).map((t) => t.node))];
    if (open.length === 0) return;
    const { outputs, checks } = this.checked(open.flatMap((node) => node.outputs.map((_, i) => new Tensor(node, i))));
    const { executable, results, leaves, done } = this.plans.lend(outputs);
    let inputs: readonly Storage[] = [];
    let storages: readonly Storage[];
    try {
      const gathered = this.gather(leaves);
      inputs = Array.isArray(gathered) ? gathered : await gathered;
      const lowered = await executable;
      const written = this.outputsOf(lowered);
      await this.run(lowered, inputs, written);
      try {
        const found = results.map((place) => ("output" in place ? written[place.output]! : inputs[place.input]!));
        if (checks.length > 0) await this.verify(checks, found.at(-1)!);
        storages = found.map((storage) => storage.retain());
      } finally {
        for (const storage of written) storage.release();
      }
    } finally {
      for (const storage of inputs) storage.release();
      done();
    }
    if (checks.length > 0) storages.at(-1)!.release();
    let next = 0;
    for (const node of open) {
      const mine = node.outputs.map(() => storages[next++]!);
      // Another evaluation may have been faster.
      if (node.computed) for (const storage of mine) storage.release();
      else node.settle(this, mine);
    }
  }

  /** A graph as this device plans it: with an output more that tells of its indices, if it checks them. */
  checked(outputs: readonly Tensor[]): CheckedGraph {
    return this.checkIndices ? withIndexChecks(outputs) : { outputs, checks: [] };
  }

  /**
   * Looks at what a graph with checks tells of its indices; the memory that it lies in stays the caller's.
   * @throws IndexError
   */
  async verify(checks: readonly IndexCheck[], extremes: Storage): Promise<void> {
    verifyIndices(checks, await this.backend.download(extremes.buffer, 0, 8 * checks.length));
  }

  /** Runs a lowered plan on the memory of `leaves`; the results are tensors in this device's memory. */
  async execute(executable: Executable, leaves: readonly Tensor[]): Promise<Tensor[]> {
    const inputs = await this.gather(leaves);
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
    return Storage.each(plan.outputs, ({ buffer }) => Storage.allocate(this, plan.buffers[buffer]!.bytes));
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
    assertDType(dtype);
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
   * @throws DeviceError for what lies nowhere (kinds `disposed`, `donated`), on another device (kind `other-device`), or is yet to be read
   * (kind `not-loaded`, see `load`)
   */
  hold(tensors: readonly Tensor[]): Storage[] {
    return Storage.each(tensors, (t) => (t.node.storage(t.index, this) ?? this.bring(t)).retain());
  }

  /** As `hold`, but reads and computes first what is not known yet; what is known is held from the moment of the call. */
  gather(tensors: readonly Tensor[]): Storage[] | Promise<Storage[]> {
    for (const t of tensors) if (!this.isReady(t)) return this.compute(tensors);
    return this.hold(tensors);
  }

  /** Reads constants that come from sources into the device's memory now, one after the other, instead of when they are first needed. */
  async load(tensors: readonly Tensor[]): Promise<void> {
    for (const t of tensors) if (t.node.source) (await this.read(t)).release();
  }

  /** Frees a tensor's memory on this device. @see Tensor.dispose */
  release(t: Tensor): void {
    t.node.release(t.index, this);
  }

  /** The stored bytes of a tensor, computed first if need be. */
  async bytes(t: Tensor): Promise<Uint8Array> {
    if (t.node.bytes) return t.node.bytes;
    if (t.node.source && !t.node.storage(t.index, this)) return bytesOf(t);
    await this.know([t]);
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

  private isReady({ node, index }: Tensor): boolean {
    return isLeaf(node) && (node.source === undefined || node.storage(index, this) !== undefined);
  }

  private async compute(tensors: readonly Tensor[]): Promise<Storage[]> {
    const held: (Storage | undefined)[] = [];
    try {
      // One by one, so that what is held already is let go of if one fails.
      for (const t of tensors) held.push(this.isReady(t) ? this.hold([t])[0] : undefined);
      const open = tensors.filter((t) => !isLeaf(t.node));
      if (open.length > 0) await this.know(open);
      for (const [i, t] of tensors.entries()) held[i] ??= t.node.source ? await this.read(t) : this.hold([t])[0];
      return held as Storage[];
    } catch (error) {
      for (const storage of held) storage?.release();
      throw error;
    }
  }

  /** The memory of a constant that comes from a source, read if it is not there; the caller holds a reference. */
  private async read(t: Tensor): Promise<Storage> {
    const { node, index } = t;
    this.assertHere(t, node.device);
    for (;;) {
      const here = node.storage(index, this);
      if (here) return here.retain();
      let reading = this.reading.get(node);
      if (!reading) {
        reading = this.uploadPieces(t).finally(() => this.reading.delete(node));
        this.reading.set(node, reading);
      }
      await reading;
    }
  }

  /** Copies to this device what lies in host memory: a constant, or what the reference device has computed. */
  private bring(t: Tensor): Storage {
    return this.upload(t, this.hostBytes(t));
  }

  private async uploadPieces(t: Tensor): Promise<void> {
    const storage = Storage.allocate(this, byteLengthOf(t));
    try {
      let offset = 0;
      for await (const piece of piecesOf(t)) {
        this.backend.upload(storage.buffer, piece, offset);
        offset += piece.byteLength;
      }
    } catch (error) {
      storage.release();
      throw error;
    }
    t.node.hold(t.index, storage);
  }

  private upload(t: Tensor, bytes: Uint8Array): Storage {
    const storage = Storage.allocate(this, bytes.byteLength);
    try {
      this.backend.upload(storage.buffer, bytes);
    } catch (error) {
      storage.release();
      throw error;
    }
    t.node.hold(t.index, storage);
    return storage;
  }

  private hostBytes(t: Tensor): Uint8Array {
    const { node, index } = t;
    if (node.source)
      throw new DeviceError(`${t} is not in the memory of ${this.name} yet`, {
        kind: "not-loaded",
        hint: "await device.load([tensor]) first",
      });
    const elsewhere = node.bytes ? node.device : node.storagesOf(index)[0]?.device;
    if (!node.bytes && !elsewhere) throw node.missing(index);
    this.assertHere(t, elsewhere);
    // The reference backend lets its memory be seen.
    return node.bytes ?? elsewhere!.backend.view!(node.storage(index, elsewhere!)!.buffer);
  }

  /** @throws DeviceError kind `other-device` unless it is this device, the reference device, or none */
  private assertHere(t: Tensor, device: Place | undefined): void {
    if (!device || device === this || isReference(device)) return;
    throw new DeviceError(`${t} lies on the device ${device.name}, not on ${this.name}`, {
      kind: "other-device",
      hint: "move it with device.tensor(await t.data(), …)",
    });
  }

  private check(): void {
    if (this.disposed) throw new DeviceError(`device ${this.name} is used after dispose()`);
  }
}

let fallback: Device | undefined;

/** Whether this is the reference device, whose tensors go with any other. */
export const isReference = (device: Place): boolean => device === fallback;

/** The reference device: plain code, on every machine. Graphs whose leaves belong to no device run here. */
export function referenceDevice(): Device {
  fallback ??= new Device(createReferenceBackend());
  return fallback;
}
