import type { Backend, BackendBuffer } from "./backend.js";

/** What a graph knows of a device: where tensors lie. @see Device */
export interface Place {
  readonly name: string;
  readonly backend: Backend;
}

/** Frees what nobody has let go of once nobody can reach it any more: a safety net, since the collector does not see how large it is. */
const collected = new FinalizationRegistry<{ readonly backend: Backend; readonly buffer: BackendBuffer }>(({ backend, buffer }) =>
  backend.free(buffer),
);

/**
 * Storages that the collector does not watch yet. Being watched costs more than all the rest of a storage, and what a loop makes and disposes of
 * at once need not be: those that still live when the current task is over, or when there are many, are handed over then.
 */
let young: Storage[] = [];
const MANY_YOUNG = 4096;

function watchSurvivors(): void {
  const survivors = young;
  young = [];
  for (const storage of survivors) storage.watch();
}

/** Where freed memory goes instead of back to its backend, while there is use for it. @returns false if there is none (any more) */
export type Recycle = (storage: Storage) => boolean;

/**
 * Memory on a device with a count of its holders: nodes whose results or constants lie there (views that share it among them), and calls that run
 * on it. It is freed exactly once, when the last of them lets go.
 */
export class Storage {
  readonly device: Place;
  readonly buffer: BackendBuffer;
  private count = 1;
  private watched = false;
  private freed = false;
  private readonly recycle: Recycle | undefined;

  /** Takes over a buffer; who makes the storage is its first holder. */
  constructor(device: Place, buffer: BackendBuffer, recycle?: Recycle) {
    this.device = device;
    this.buffer = buffer;
    this.recycle = recycle;
    if (young.push(this) === 1) setTimeout(watchSurvivors, 0);
    else if (young.length > MANY_YOUNG) watchSurvivors();
  }

  /** A new buffer on a device. @throws DeviceError kind `out-of-memory` */
  static allocate(device: Place, bytes: number, recycle?: Recycle): Storage {
    return new Storage(device, device.backend.allocate(Math.max(1, bytes)), recycle);
  }

  /** Several, one after the other; if one fails, those before it are let go of. */
  static each<T>(items: readonly T[], make: (item: T, i: number) => Storage): Storage[] {
    const made: Storage[] = [];
    try {
      for (let i = 0; i < items.length; i++) made.push(make(items[i]!, i));
      return made;
    } catch (error) {
      for (const storage of made) storage.release();
      throw error;
    }
  }

  /** How many hold it; 0 once it is freed or waits to be used again. */
  get holders(): number {
    return this.count;
  }

  /** One holder more. */
  retain(): this {
    this.count++;
    return this;
  }

  /** One holder less; the last one frees it. */
  release(): void {
    if (--this.count > 0 || this.recycle?.(this)) return;
    this.freed = true;
    if (this.watched) collected.unregister(this);
    this.device.backend.free(this.buffer);
  }

  /** The same contents in memory of their own; the caller is its holder. */
  async copy(): Promise<Storage> {
    const { backend } = this.device;
    const { bytes } = this.buffer;
    const copy = Storage.allocate(this.device, bytes);
    try {
      backend.upload(copy.buffer, backend.view?.(this.buffer) ?? (await backend.download(this.buffer, 0, bytes)));
      return copy;
    } catch (error) {
      copy.release();
      throw error;
    }
  }

  /** Lets the collector free it if nobody else does. */
  watch(): void {
    if (this.freed || this.watched) return;
    this.watched = true;
    collected.register(this, { backend: this.device.backend, buffer: this.buffer }, this);
  }
}
