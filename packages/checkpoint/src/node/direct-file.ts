import { constants, openSync, closeSync, write, writeSync } from "node:fs";
import { ioError } from "@weft/io-safetensors/node";
import { DIRECT_ALIGN } from "../run/tile-memory.js";

/**
 * A file that is written at positions, past the page cache where the system can: a checkpoint is written once and is larger than the cache
 * deserves, the data must reach the disk anyway before the file gets its name, and copying it into the cache costs as much time as computing it.
 * What is not aligned (the edges of a tensor) goes through the cache.
 */
export class DirectFile {
  private readonly path: string;
  private readonly name: string;
  private readonly cached: number;
  private direct: number | undefined;

  /** @param name what messages call it */
  constructor(path: string, name: string) {
    this.path = path;
    this.name = name;
    this.cached = openSync(path, "r+");
    // Not on every platform, and not every file system takes it.
    const flag = (constants as { O_DIRECT?: number }).O_DIRECT;
    if (flag === undefined) return;
    try {
      this.direct = openSync(path, constants.O_RDWR | flag);
    } catch {
      this.direct = undefined;
    }
  }

  /**
   * Writes `memory[start … start+length)` at `position`; resolves when it is done. Where start and position are congruent modulo
   * `DIRECT_ALIGN`, the aligned middle goes directly.
   * @param base address of `memory` itself modulo `DIRECT_ALIGN` (0 for WebAssembly memory)
   */
  async write(memory: Uint8Array, start: number, length: number, position: number): Promise<void> {
    const head = (DIRECT_ALIGN - (position % DIRECT_ALIGN)) % DIRECT_ALIGN;
    const middle = Math.floor((length - head) / DIRECT_ALIGN) * DIRECT_ALIGN;
    if (this.direct === undefined || middle <= 0 || (start - position) % DIRECT_ALIGN !== 0) {
      this.writePlain(memory, start, length, position);
      return;
    }
    try {
      await this.writeDirect(this.direct, memory, start + head, middle, position + head);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EINVAL") throw ioError(error, this.name, "write");
      this.direct = undefined;
      this.writePlain(memory, start, length, position);
      return;
    }
    this.writePlain(memory, start, head, position);
    this.writePlain(memory, start + head + middle, length - head - middle, position + head + middle);
  }

  close(): void {
    closeSync(this.cached);
    if (this.direct !== undefined) closeSync(this.direct);
  }

  get location(): string {
    return this.path;
  }

  private writeDirect(fd: number, memory: Uint8Array, start: number, length: number, position: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const next = (done: number): void => {
        write(fd, memory, start + done, length - done, position + done, (error, written) => {
          if (error) reject(error);
          else if (done + written >= length) resolve();
          // A short write leaves an unaligned rest; the next one says why.
          else if (written % DIRECT_ALIGN !== 0 || written === 0) reject(Object.assign(new Error("short write"), { code: "EINVAL" }));
          else next(done + written);
        });
      };
      next(0);
    });
  }

  /** Writes through the cache. */
  writePlain(memory: Uint8Array, start: number, length: number, position: number): void {
    for (let done = 0; done < length;) {
      try {
        done += writeSync(this.cached, memory, start + done, length - done, position + done);
      } catch (error) {
        throw ioError(error, this.name, "write");
      }
    }
  }
}
