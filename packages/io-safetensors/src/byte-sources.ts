import { IoError } from "@weft/tensor-core";
import type { ByteSource } from "./weight-source.js";

/** Bytes in memory. Reads are copies, so that a tensor at an odd byte is aligned afterwards. */
export function bytesOfMemory(bytes: Uint8Array, location = "memory"): ByteSource {
  return {
    location,
    size: bytes.byteLength,
    read: async (offset, length) => new Uint8Array(bytes.subarray(offset, offset + length)),
    close: async () => {},
  };
}

/** A Blob or File of the browser, read piece by piece. */
export function bytesOfBlob(blob: Blob, location: string = (blob as Partial<File>).name ?? "blob"): ByteSource {
  return {
    location,
    size: blob.size,
    async read(offset, length) {
      try {
        return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
      } catch (cause) {
        // A File whose file was changed or moved since it was chosen.
        throw new IoError(`${location}: it can no longer be read`, { file: location, cause });
      }
    },
    close: async () => {},
  };
}

/** Whole bytes of a file that are there, or are on their way. */
export type BytesInput = ArrayBufferLike | Uint8Array | Response | Blob;

/** The bytes of a file of any format, however they were given. @throws IoError kinds `not-found`, `http` for an answer that is no success */
export async function bytesOfInput(input: BytesInput): Promise<ByteSource> {
  if (input instanceof Blob) return bytesOfBlob(input);
  if (input instanceof Uint8Array) return bytesOfMemory(input);
  if (input instanceof Response) return bytesOfResponse(input);
  return bytesOfMemory(new Uint8Array(input));
}

/** The body of an answer, whole. @throws IoError kinds `not-found`, `http` if it is no success */
async function bytesOfResponse(response: Response): Promise<ByteSource> {
  const location = response.url || "response";
  if (!response.ok)
    throw new IoError(`${location}: the server answered ${response.status}`, {
      kind: response.status === 404 ? "not-found" : "http",
      file: location,
    });
  return bytesOfMemory(new Uint8Array(await response.arrayBuffer()), location);
}
