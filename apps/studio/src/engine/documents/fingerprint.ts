/** Bytes at either end of a large file that are looked at. */
const ENDS = 1 << 20;

const sha256 = async (bytes: BufferSource): Promise<Uint8Array> => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

/**
 * An id of files: SHA-256 of their names, sizes and contents, of large ones of the first and last MiB, where headers lie.
 * @returns 32 hexadecimal digits
 */
export async function fingerprint(files: ReadonlyMap<string, Blob>): Promise<string> {
  const parts: Uint8Array[] = [];
  for (const [name, blob] of [...files].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const looked = blob.size <= 2 * ENDS ? blob : new Blob([blob.slice(0, ENDS), blob.slice(-ENDS)]);
    parts.push(new TextEncoder().encode(`${name}\0${blob.size}\0`), await sha256(await looked.arrayBuffer()));
  }
  const digest = await sha256(await new Blob(parts as BlobPart[]).arrayBuffer());
  return Array.from(digest.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
