import { CancelledError, IoError, type WeftErrorKind } from "@weft/tensor-core";
import { bytesOfMemory } from "./byte-sources.js";
import type { ByteSource } from "./weight-source.js";

/** How files are fetched: headers, attempts, signal, and the `fetch` that does it. */
export interface HttpOptions {
  readonly signal?: AbortSignal;
  readonly headers?: { readonly [name: string]: string };
  readonly fetch?: typeof fetch;
  /** Attempts without progress per read, with growing pauses between (3). */
  readonly attempts?: number;
}

/** Failures that pass: the server is busy. */
const TRANSIENT = [408, 425, 429, 500, 502, 503, 504];
/** Fetched first, kept: holds the header of most files, which then costs one request. */
const HEAD_BYTES = 1 << 16;
/** A file this large is kept whole where the server ignores ranges: adapters are smaller, and a page has the room. */
export const MAX_WHOLE_BODY_BYTES: number = 1 << 28;
/** First pause before a request is repeated, in ms; each next one is twice as long. */
const PAUSE_MS = 250;

/** A URL as pages write it: relative to the page. @throws IoError kind `url` if it is none */
export function absoluteUrl(url: string | URL): string {
  const { document, location } = globalThis as { document?: { baseURI?: string }; location?: { href?: string } };
  const base = document?.baseURI ?? location?.href;
  try {
    return new URL(url, base).href;
  } catch (cause) {
    throw new IoError(`${String(url)}: not a URL`, {
      kind: "url",
      file: String(url),
      cause,
      hint:
        base === undefined
          ? "outside a page URLs are absolute; paths of files are opened by @weft/io-safetensors/node"
          : "check its spelling",
    });
  }
}

/**
 * A file behind a URL, read by range requests: only what is asked for is transferred. A read whose connection breaks goes on where it broke. From a
 * server that ignores ranges a file of up to `MAX_WHOLE_BODY_BYTES` is fetched whole, and kept.
 * @param url in a page also a relative one
 * @throws IoError kind `not-found`; kind `url`; kind `http` if it cannot be reached, is too large for a server without ranges, or answers with other
 *   bytes than asked for; CancelledError
 */
export async function bytesOfUrl(url: string | URL, options: HttpOptions = {}): Promise<ByteSource> {
  const location = absoluteUrl(url);
  const { signal, headers = {}, attempts = 3 } = options;
  const get = options.fetch ?? fetch;
  const fail = (message: string, kind: WeftErrorKind<"io"> = "http", cause?: unknown, hint?: string): IoError =>
    new IoError(`${location}: ${message}`, { kind, file: location, cause, ...(hint !== undefined && { hint }) });
  const noRanges = (bytes: string): IoError =>
    fail(
      `the server ignores ranges, and the file has ${bytes} bytes; at most ${MAX_WHOLE_BODY_BYTES} are fetched whole`,
      "http",
      undefined,
      "serve it with support for Range requests (Accept-Ranges: bytes)",
    );
  let size: number | undefined;
  let etag: string | null | undefined;

  /** Checks that an answer holds bytes from `from` on of the file that was opened. @returns the file's size */
  const check = (response: Response, from: number, to: number): number => {
    const [, begin, end, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.map(Number) ?? [];
    if (total === undefined) throw fail("the answer has no usable Content-Range");
    if (begin !== from || end !== Math.min(to, total - 1)) throw fail(`asked for bytes ${from}–${to}, got ${begin}–${end}`);
    const tag = response.headers.get("etag");
    if ((size ?? total) !== total || (etag !== undefined && etag !== tag)) throw fail("the file changed while it was read");
    etag = tag;
    return total;
  };

  /** The file, where the server sent all of it at once. */
  let whole: Uint8Array | undefined;

  /** Takes the answer to a request whose range was ignored. @throws IoError if it is too large, or ends early */
  const takeWhole = async (response: Response, reader: ReadableStreamDefaultReader<Uint8Array> | undefined): Promise<Uint8Array> => {
    const announced = response.headers.get("content-length");
    if (Number(announced) > MAX_WHOLE_BODY_BYTES) throw noRanges(announced!);
    const pieces: Uint8Array[] = [];
    let length = 0;
    for (let piece = await reader?.read(); piece && !piece.done; piece = await reader!.read()) {
      pieces.push(piece.value);
      length += piece.value.byteLength;
      if (length > MAX_WHOLE_BODY_BYTES) throw noRanges(`more than ${MAX_WHOLE_BODY_BYTES}`);
    }
    const body = new Uint8Array(length);
    pieces.reduce((at, piece) => (body.set(piece, at), at + piece.byteLength), 0);
    return body;
  };

  /** Fills `target` as far as the file goes. @returns bytes read */
  const fill = async (target: Uint8Array, offset: number): Promise<number> => {
    let done = 0;
    for (let attempt = 1; ; attempt++) {
      if (signal?.aborted) throw new CancelledError();
      let failure: IoError;
      let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
      try {
        const to = offset + target.byteLength - 1;
        const response = await get(location, { headers: { ...headers, Range: `bytes=${offset + done}-${to}` }, ...(signal && { signal }) });
        reader = response.body?.getReader();
        if (response.status === 206) {
          size = check(response, offset + done, to);
          const wanted = Math.min(target.byteLength, size - offset);
          for (;;) {
            const piece = await reader!.read();
            if (piece.done) break;
            if (done + piece.value.byteLength > wanted) throw fail("the answer is too long");
            target.set(piece.value, done);
            done += piece.value.byteLength;
            attempt = 0;
          }
          if (done === wanted) return done;
          failure = fail(`got ${done} of ${wanted} bytes`);
        } else if (response.status === 200 && size === undefined) {
          whole = await takeWhole(response, reader);
          return (size = whole.byteLength);
        } else {
          if (response.status === 416 && size === undefined) return (size = 0);
          const { status } = response;
          failure = fail(
            status === 200 ? "the server ignores ranges that it served before" : `the server answered ${status}`,
            status === 404 ? "not-found" : "http",
          );
          if (!TRANSIENT.includes(status)) attempt = attempts;
        }
      } catch (error) {
        if (signal?.aborted) throw new CancelledError();
        if (error instanceof IoError) throw error;
        failure = fail("no connection", "http", error);
      } finally {
        // What was refused must not keep its connection; one that broke has nothing to be cancelled.
        await reader?.cancel().catch(() => {});
      }
      if (attempt >= attempts) throw failure;
      await pause(PAUSE_MS * 2 ** attempt, signal);
    }
  };

  const buffer = new Uint8Array(HEAD_BYTES);
  const filled = await fill(buffer, 0);
  if (whole) return bytesOfMemory(whole, location);
  const head = buffer.subarray(0, filled);
  return {
    location,
    size: size!,
    async read(offset, length) {
      if (length === 0 || offset + length <= head.byteLength) return head.slice(offset, offset + length);
      const bytes = new Uint8Array(length);
      if ((await fill(bytes, offset)) !== length) throw fail("the file is shorter");
      return bytes;
    },
    close: async () => {},
  };
}

/** Waits, but not beyond an abort. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => resolve(), { once: true });
  });
}
