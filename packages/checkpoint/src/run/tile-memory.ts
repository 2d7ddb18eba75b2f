import type { WasmBackend, WasmBuffer } from "@weft/kernels-wasm";

/** Positions, lengths and addresses of direct writes are multiples of this. */
export const DIRECT_ALIGN = 4096;

/** Memory of a tile, until what uses it is done. */
export interface TileSlot {
  readonly buffer: WasmBuffer;
  release(done: Promise<void>): void;
}

/** Two tiles of memory: one is computed while the other is written. They grow with the largest tile. */
export class TileMemory {
  private readonly backend: WasmBackend;
  private readonly slots: { buffer: WasmBuffer | undefined; busy: Promise<void> }[] = [0, 1].map(() => ({
    buffer: undefined,
    busy: Promise.resolve(),
  }));
  private next = 0;

  constructor(backend: WasmBackend) {
    this.backend = backend;
  }

  /** Memory for a tile whose first byte will lie at `position` of a file, congruent to it. */
  async take(bytes: number, position: number): Promise<TileSlot> {
    const slot = this.slots[(this.next = 1 - this.next)]!;
    await slot.busy;
    const need = bytes + DIRECT_ALIGN;
    if (!slot.buffer || slot.buffer.bytes < need) {
      if (slot.buffer) this.backend.free(slot.buffer);
      slot.buffer = this.backend.allocate(need);
    }
    const { address } = slot.buffer;
    // Elements stay aligned whatever the position: data begins at multiples of 8 only.
    const shift = position % 8 === 0 ? (((position - address) % DIRECT_ALIGN) + DIRECT_ALIGN) % DIRECT_ALIGN : 0;
    return {
      buffer: this.backend.part(slot.buffer, shift, bytes),
      release(done) {
        slot.busy = done;
        // Awaited when the slot is taken again; until then nobody listens.
        done.catch(() => {});
      },
    };
  }

  async idle(): Promise<void> {
    await Promise.all(this.slots.map(({ busy }) => busy));
  }
}
