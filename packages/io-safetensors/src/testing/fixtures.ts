import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TensorEntry } from "../encode-header.js";
import type { TensorData } from "../node/write-safetensors.js";

/** What Python's safetensors, huggingface_hub and transformers wrote; see the script there. */
export const WRITTEN: string = join(import.meta.dirname, "../../../../fixtures/safetensors-writer");

/** What Python was given for `NAME.safetensors`, in that order. */
export function given(name: string): { metadata: Map<string, string>; tensors: TensorData[] } {
  const { metadata, tensors } = JSON.parse(readFileSync(join(WRITTEN, `${name}.json`), "utf8")) as {
    metadata: Record<string, string> | null;
    tensors: (TensorEntry & { data: string })[];
  };
  return {
    metadata: new Map(Object.entries(metadata ?? {})),
    tensors: tensors.map((t) => ({ ...t, data: Uint8Array.from(Buffer.from(t.data, "hex")) })),
  };
}

/** The whole file in memory, as a test wants it: data must be there at once. */
export function fileBytes(
  header: Uint8Array,
  tensors: readonly TensorEntry[],
  data: ReadonlyMap<string, Uint8Array>,
): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.concat([header, ...tensors.map(({ name }) => data.get(name)!)]));
}
