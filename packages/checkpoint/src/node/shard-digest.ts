import { createHash } from "node:crypto";
import type { FileLayout } from "@weft/io-safetensors";
import { hashFile, openFileBytes } from "@weft/io-safetensors/node";

/** SHA-256 over the header and the tensors' hashes in file order: the identity of a shard, found without reading it again. */
export function shardDigest(header: Uint8Array, { tensors }: FileLayout, hashes: ReadonlyMap<string, string>): string {
  const hash = createHash("sha256").update(header);
  for (const { name } of tensors) hash.update(hashes.get(name)!, "hex");
  return hash.digest("hex");
}

/** The `shardDigest` of a file that should have this layout. */
export async function fileDigest(path: string, layout: FileLayout): Promise<string> {
  const hashes = new Map<string, string>();
  for (const { name, offset, bytes } of layout.tensors) hashes.set(name, await hashFile(path, offset, bytes));
  const file = openFileBytes(path);
  try {
    const header = new Uint8Array(layout.header.byteLength);
    file.readInto(header, 0);
    return shardDigest(header, layout, hashes);
  } finally {
    await file.close();
  }
}
