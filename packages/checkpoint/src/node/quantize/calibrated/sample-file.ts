import { closeSync, openSync, readSync, rmSync } from "node:fs";
import { ioError, writeAll } from "@weft/io-safetensors/node";
import type { SampleStore } from "@weft/quant-nf4-awq";

/** Keeps something of each sample in a file, which is gone when it is closed. */
export class SampleFile implements SampleStore {
  private readonly fd: number;
  private readonly places = new Map<number, { readonly at: number; readonly bytes: number }>();
  private end = 0;

  constructor(private readonly path: string) {
    try {
      this.fd = openSync(path, "w+");
    } catch (error) {
      throw ioError(error, path, "write");
    }
  }

  put(sample: number, bytes: Uint8Array): void {
    let place = this.places.get(sample);
    if (place?.bytes !== bytes.byteLength) {
      place = { at: this.end, bytes: bytes.byteLength };
      this.places.set(sample, place);
      this.end += bytes.byteLength;
    }
    writeAll(this.fd, bytes, place.at, this.path);
  }

  get(sample: number): Uint8Array {
    const { at, bytes } = this.places.get(sample)!;
    const data = new Uint8Array(bytes);
    try {
      for (let done = 0; done < bytes;) {
        const count = readSync(this.fd, data, done, bytes - done, at + done);
        if (count === 0) throw Object.assign(new Error("the file was cut"), { code: "EIO" });
        done += count;
      }
    } catch (error) {
      throw ioError(error, this.path, "read");
    }
    return data;
  }

  close(): void {
    closeSync(this.fd);
    rmSync(this.path, { force: true });
  }
}
