import { type BackendBuffer, DeviceError } from "@weft/tensor-core";

/** Every address is a multiple of this: a cache line, and any SIMD access. */
const ALIGN = 64;
const PAGE = 65536;
/** 4 GiB: the hard cap of 32-bit WebAssembly memory. */
const MAX_PAGES = 65536;
const INITIAL_PAGES = 16;
/** Address space that is asked for, in turn, where a browser refuses more: shared maxima of 2 GiB and above fail on iOS. */
const MAXIMA: readonly number[] = [4, 2, 1, 0.5, 0.25].map((gib) => gib * 2 ** 14);
/** The least and the most that one memory can be. */
export const LEAST_BYTES: number = INITIAL_PAGES * PAGE;
export const MOST_BYTES: number = MAX_PAGES * PAGE;

/** A range of a WebAssembly memory. */
export interface WasmBuffer extends BackendBuffer {
  bytes: number;
  /** Byte address; 0 once it was freed. */
  address: number;
  readonly memory: WasmMemory;
}

/** Byte address of a buffer. @throws DeviceError if it was freed */
export function addressIn({ address }: WasmBuffer): number {
  if (address === 0) throw new DeviceError("a buffer is used after it was freed");
  return address;
}

/** Bytes that a buffer takes in memory. */
const taken = (bytes: number): number => Math.max(ALIGN, Math.ceil(bytes / ALIGN) * ALIGN);

/**
 * A memory that may grow to `pages`, or to as much of that as this machine reserves.
 * @throws DeviceError kind `out-of-memory` if even the least is refused
 */
function reserve(pages: number, shared: boolean): { readonly memory: WebAssembly.Memory; readonly maximum: number } {
  let cause: unknown;
  for (const maximum of [pages, ...MAXIMA.filter((less) => less < pages)]) {
    try {
      return { memory: new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum, shared }), maximum };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      cause = error;
    }
  }
  throw new DeviceError("no WebAssembly memory could be reserved", { kind: "out-of-memory", cause, hint: "close other pages or programs" });
}

/**
 * Allocator over one WebAssembly memory: first fit in a list of free ranges sorted by address, neighbours are joined
 * when freed, the memory grows when nothing fits.
 */
export class WasmMemory {
  readonly memory: WebAssembly.Memory;
  readonly shared: boolean;
  /** Bytes that it may grow to. */
  readonly limit: number;
  /** Bytes that were asked for and not released. */
  used = 0;
  private readonly free: { start: number; end: number }[] = [];
  private bytesCache: Uint8Array;
  private wordsCache: Int32Array;
  private floatsCache: Float32Array;

  /**
   * @param maxBytes where allocation stops; at most 4 GiB, and less where the machine reserves less
   * @param shared threads may join in; growing then leaves views of the memory valid
   * @throws DeviceError kind `out-of-memory` if nothing can be reserved
   */
  constructor(maxBytes: number = MOST_BYTES, shared = true) {
    const asked = Math.max(INITIAL_PAGES, Math.min(MAX_PAGES, Math.floor(maxBytes / PAGE)));
    const { memory, maximum } = reserve(asked, shared);
    this.memory = memory;
    this.shared = shared;
    this.limit = maximum * PAGE;
    this.bytesCache = new Uint8Array(this.memory.buffer);
    this.wordsCache = new Int32Array(this.memory.buffer);
    this.floatsCache = new Float32Array(this.memory.buffer);
    // Address 0 stays unused, so that it can mean "none".
    this.free.push({ start: ALIGN, end: this.bytesCache.byteLength });
  }

  /** The whole memory; take it anew after each allocation, which may have grown it. */
  get bytes(): Uint8Array {
    this.refresh();
    return this.bytesCache;
  }

  /** The same as i32 and f32. */
  get words(): Int32Array {
    this.refresh();
    return this.wordsCache;
  }

  get floats(): Float32Array {
    this.refresh();
    return this.floatsCache;
  }

  /** @throws DeviceError kind `out-of-memory` */
  allocate(bytes: number): WasmBuffer {
    const buffer = this.tryAllocate(bytes, this.limit);
    if (buffer) return buffer;
    const have = this.memory.buffer.byteLength;
    throw new DeviceError(`the WebAssembly memory has no room for ${bytes} bytes more (${have} of ${this.limit} bytes are in use)`, {
      kind: "out-of-memory",
      hint: "work on smaller pieces, or free tensors that are not needed any more",
    });
  }

  /** A buffer that ends before address `limit`, if there is room for it. */
  tryAllocate(bytes: number, limit: number): WasmBuffer | undefined {
    const size = taken(bytes);
    const fits = (r: { start: number; end: number }): boolean => Math.min(r.end, limit) - r.start >= size;
    let at = this.free.findIndex(fits);
    if (at < 0) {
      if (!this.grow(size, limit)) return undefined;
      at = this.free.findIndex(fits);
    }
    const range = this.free[at]!;
    const address = range.start;
    range.start += size;
    this.used += bytes;
    if (range.start === range.end) this.free.splice(at, 1);
    return { bytes, address, memory: this };
  }

  release(buffer: WasmBuffer): void {
    if (buffer.address === 0) return;
    this.used -= buffer.bytes;
    this.giveBack(buffer.address, buffer.address + taken(buffer.bytes));
    buffer.address = 0;
  }

  /** Gives back all but the first bytes of a buffer. */
  shrink(buffer: WasmBuffer, bytes: number): void {
    const [start, end] = [buffer.address + taken(bytes), buffer.address + taken(buffer.bytes)];
    this.used -= buffer.bytes - bytes;
    buffer.bytes = bytes;
    if (start < end) this.giveBack(start, end);
  }

  private giveBack(start: number, end: number): void {
    let at = this.free.findIndex((r) => r.start > start);
    if (at < 0) at = this.free.length;
    const [before, after] = [this.free[at - 1], this.free[at]];
    const joinsBefore = before?.end === start;
    const joinsAfter = after?.start === end;
    if (joinsBefore && joinsAfter) {
      before.end = after.end;
      this.free.splice(at, 1);
    } else if (joinsBefore) before.end = end;
    else if (joinsAfter) after.start = start;
    else this.free.splice(at, 0, { start, end });
  }

  private refresh(): void {
    const { buffer } = this.memory;
    if (this.bytesCache.buffer === buffer) return;
    this.bytesCache = new Uint8Array(buffer);
    this.wordsCache = new Int32Array(buffer);
    this.floatsCache = new Float32Array(buffer);
  }

  /** Grows so that `size` bytes fit below `limit`. @returns whether it could */
  private grow(size: number, limit: number): boolean {
    const have = this.memory.buffer.byteLength;
    const last = this.free[this.free.length - 1];
    const tail = last?.end === have ? have - last.start : 0;
    const missing = size - tail;
    const room = Math.floor(limit / PAGE) * PAGE - have;
    if (missing > room) return false;
    // A quarter more than needed, at most 64 MiB, so that many small allocations do not each grow it.
    const pages = Math.ceil(Math.min(room, Math.max(missing, Math.min(have / 4, 64 << 20))) / PAGE);
    try {
      this.memory.grow(pages);
    } catch (error) {
      if (error instanceof RangeError) return false;
      throw error;
    }
    const end = have + pages * PAGE;
    if (last && tail > 0) last.end = end;
    else this.free.push({ start: have, end });
    return true;
  }
}
