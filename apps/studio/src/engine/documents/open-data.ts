import { type FileFormat, readRows } from "@weft/datasets";
import type { OpenData } from "./opened.js";
import { fingerprint } from "./fingerprint.js";

/** Data that were dropped: every row is read once, so that what is wrong is said with its line. @throws what `readRows` throws */
export async function openData(name: string, content: Blob, format?: FileFormat, id?: string): Promise<OpenData> {
  let rows = 0;
  for await (const _ of readRows(content, { name, ...(format && { format }) })) rows++;
  const document = { kind: "data", id: id ?? (await fingerprint(new Map([[name, content]]))), name, bytes: content.size, rows } as const;
  return { document, name, content };
}
