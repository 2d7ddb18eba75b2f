import { CancelledError, FormatError, IoError } from "@weft/tensor-core";
import type { ByteSource } from "./weight-source.js";

/** Bytes in memory. Reads are copies, so that a tensor at an odd byte is aligned afterwards. */
export function bytesOfMemory(bytes: Uint8Array, location = "memory"): ByteSource {
  return { location, size: bytes.byteLength, read: async (offset, length) => bytes.slice(offset, offset + length), close: async () => {} };
}

/** A Blob or File of the browser, read piece by piece. */
export function bytesOfBlob(blob: Blob, location: string = "name" in blob ? String((blob as { name: unknown }).name) : "blob"): ByteSource {
  return { location, size: blob.size, read: async (offset, length) => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()), close: async () => {} };
}

export interface HttpOptions {
  readonly signal?: AbortSignal;
  readonly headers?: { readonly [name: string]: string };
  readonly fetch?: typeof fetch;
  /** Attempts per request, with growing pauses between (3). */
  readonly attempts?: number;
}

/** Failures that pass: the server is busy or the connection broke. */
const TRANSIENT = new Set([408, 425, 429, 500, 502, 503, 504]);

/**
 * A file behind a URL, read by range requests: only what is asked for is transferred.
 * @throws IoError kind `http` if it cannot be reached or has no ranges
 */
export async function bytesOfUrl(url: string | URL, options: HttpOptions = {}): Promise<ByteSource> {
  const location = String(url);
  const { signal, headers = {}, attempts = 3 } = options;
  const get = options.fetch ?? fetch;
  const fail = (message: string, cause?: unknown): never => {
    throw new IoError(`${location}: ${message}`, { kind: "http", file: location, cause });
  };
  const request = async (offset: number, length: number): Promise<Response> => {
    for (let attempt = 1; ; attempt++) {
      if (signal?.aborted) throw new CancelledError();
      try {
        const response = await get(url, { headers: { ...headers, Range: `bytes=${offset}-${offset + length - 1}` }, ...(signal ? { signal } : {}) });
        if (response.status === 206) return response;
        await response.body?.cancel();
        if (response.status === 200) return fail("the server ignores range requests");
        if (!TRANSIENT.has(response.status) || attempt >= attempts) return fail(`the server answered ${response.status} ${response.statusText}`);
      } catch (error) {
        if (signal?.aborted) throw new CancelledError();
        if (error instanceof IoError) throw error;
        if (attempt >= attempts) return fail("the connection failed", error);
      }
      await new Promise((resolve) => setTimeout(resolve, 250 * 2 ** attempt));
    }
  };
  const totalOf = (response: Response): number => {
    const total = /^bytes \d+-\d+\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.[1];
    return total === undefined ? fail("the answer has no usable Content-Range") : Number(total);
  };
  const first = await request(0, 8);
  const size = totalOf(first);
  await first.body?.cancel();
  return {
    location,
    size,
    async read(offset, length) {
      if (length === 0) return new Uint8Array(0);
      const response = await request(offset, length);
      if (totalOf(response) !== size) throw new FormatError(`${location}: its size changed from ${size} to ${totalOf(response)} bytes while it was read`, { kind: "http", file: location });
      const bytes = new Uint8Array(await response.arrayBuffer());
      return bytes.byteLength === length ? bytes : fail(`asked for ${length} bytes at ${offset}, got ${bytes.byteLength}`);
    },
    close: async () => {},
  };
}
