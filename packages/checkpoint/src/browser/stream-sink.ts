import type { TensorJob } from "../plan/tensor-job.js";
import type { Sink } from "../run/run-job.js";

/** Writes tensors into a stream, in the order in which they come. */
export class StreamSink implements Sink {
  private readonly writer: WritableStreamDefaultWriter<Uint8Array>;

  constructor(stream: WritableStream<Uint8Array>) {
    this.writer = stream.getWriter();
  }

  write(_: TensorJob, memory: Uint8Array, start: number, length: number): Promise<void> {
    // A copy: WebAssembly's memory is moved when it grows.
    return this.append(memory.slice(start, start + length));
  }

  append(bytes: Uint8Array): Promise<void> {
    return this.writer.write(bytes);
  }

  /** The file is complete. */
  close(): Promise<void> {
    return this.writer.close();
  }

  /** Gives up the file. */
  async abort(reason: unknown): Promise<void> {
    // A stream that has failed already is gone.
    await this.writer.abort(reason).catch(() => {});
  }
}
