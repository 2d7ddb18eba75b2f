import { createHash } from "node:crypto";
import { hashFile, openFileBytes } from "@weft/io-safetensors/node";
import type { LaidOutFile } from "../plan/layout.js";

/** SHA-256 over the header and the tensors' hashes in file order: the identity of a shard, found without reading it again. */
export function shardDigest(header: Uint8Array, { tensors }: LaidOutFile, hashes: ReadonlyMap<string, string>): string {
  const hash = createHash("sha256").update(header);
  for (const { name } of tensors) hash.update(hashes.get(name)!, "hex");
  return hash.digest("hex");
}

/** The `shardDigest` of a file that should have this layout. */
export async function fileDigest(path: string, layout: LaidOutFile): Promise<string> {
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
