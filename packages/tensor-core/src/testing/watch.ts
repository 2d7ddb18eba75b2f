import type { Backend, BackendBuffer } from "../backend.js";

/** A backend whose memory is counted, and which can be made to fail. */
export interface Watched {
  readonly backend: Backend;
  /** Buffers allocated so far. */
  allocated(): number;
  /** Buffers that are allocated and not freed. */
  live(): number;
  /** Bytes of those. */
  bytes(): number;
  /** Starts a count of those that are allocated from now on and not freed: what the collector frees of earlier ones does not count. */
  sinceNow(): () => number;
  /** Makes the next call of a method throw. */
  failNext(method: "allocate" | "upload" | "lower" | "run"): void;
}

/** The same backend, watched. Freeing what is free already throws, which backends themselves need not notice. */
export function watch(inner: Backend): Watched {
  const buffers = new Set<BackendBuffer>();
  let allocated = 0;
  let failing: string | undefined;
  const fail = (method: string): void => {
    if (failing !== method) return;
    failing = undefined;
    throw new Error(`${method} fails`);
  };
  const backend = Object.assign(Object.create(inner) as Backend, {
    allocate(bytes: number): BackendBuffer {
      fail("allocate");
      const buffer = inner.allocate(bytes);
      buffers.add(buffer);
      allocated++;
      return buffer;
    },
    free(buffer: BackendBuffer): void {
      if (!buffers.delete(buffer)) throw new Error("a buffer is freed twice, or was never allocated");
      inner.free(buffer);
    },
    upload(...args: Parameters<Backend["upload"]>): void {
      fail("upload");
      inner.upload(...args);
    },
    lower(...args: Parameters<Backend["lower"]>): ReturnType<Backend["lower"]> {
      fail("lower");
      return inner.lower(...args);
    },
    run(...args: Parameters<Backend["run"]>): ReturnType<Backend["run"]> {
      fail("run");
      return inner.run(...args);
    },
  });
  const sinceNow = (): (() => number) => {
    const earlier = new Set(buffers);
    return () => [...buffers].filter((buffer) => !earlier.has(buffer)).length;
  };
  return {
    backend,
    allocated: () => allocated,
    live: () => buffers.size,
    bytes: () => [...buffers].reduce((sum, buffer) => sum + buffer.bytes, 0),
    sinceNow,
    failNext: (method) => void (failing = method),
  };
}
