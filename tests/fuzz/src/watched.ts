import type { Backend, BackendBuffer } from "@weft/tensor-core";

/** A backend whose memory is watched. */
export interface Watched {
  readonly backend: Backend;
  /** Buffers that are allocated and not freed. */
  readonly open: () => number;
}

/** Fresh memory holds this, so that what is read before it is written shows. */
const RUBBISH = 0xfd;

/**
 * The same backend, with every buffer that it gives out counted. Memory is not clean, a buffer is freed once, and none is used after it was freed.
 * `dispose` leaves the backend itself alone: it is shared by all cases.
 */
export function watch(inner: Backend): Watched {
  const alive = new Set<BackendBuffer>();
  const known = (what: string, buffers: readonly BackendBuffer[]): void => {
    if (!buffers.every((b) => alive.has(b))) throw new Error(`${what} of a buffer that is not allocated`);
  };
  const backend: Backend = {
    name: inner.name,
    capabilities: inner.capabilities,
    allocate(bytes) {
      const buffer = inner.allocate(bytes);
      alive.add(buffer);
      inner.upload(buffer, new Uint8Array(bytes).fill(RUBBISH));
      return buffer;
    },
    free(buffer) {
      known("free", [buffer]);
      alive.delete(buffer);
      inner.free(buffer);
    },
    upload(buffer, data, offset) {
      known("upload", [buffer]);
      inner.upload(buffer, data, offset);
    },
    download(buffer, offset, bytes) {
      known("download", [buffer]);
      return inner.download(buffer, offset, bytes);
    },
    ...(inner.view && {
      view(buffer: BackendBuffer): Uint8Array {
        known("view", [buffer]);
        return inner.view!(buffer);
      },
    }),
    claims: (call) => inner.claims(call),
    lower: (plan, frozen) => inner.lower(plan, frozen),
    run(executable, inputs, outputs) {
      known("run", [...inputs, ...outputs]);
      return inner.run(executable, inputs, outputs);
    },
    dispose() {},
  };
  return { backend, open: () => alive.size };
}
