import { errorAt } from "@weft/io-safetensors";
import type { GgufFile } from "../gguf-file.js";
import type { GgufMetadata, GgufValue } from "../values.js";
import { checkedEntry, type Imatrix, type ImatrixEntry } from "./imatrix.js";

const SUMS = ".in_sum2";
const COUNTS = ".counts";
const KEYS = { type: "general.type", datasets: "imatrix.datasets", chunks: "imatrix.chunk_count", size: "imatrix.chunk_size" } as const;

/** Reads an importance matrix from an open GGUF file. @throws FormatError kinds `imatrix`, `missing-tensor`; IoError @see llama.cpp `tools/imatrix/imatrix.cpp` load_imatrix */
export async function readGgufImatrix(file: GgufFile): Promise<Imatrix> {
  const { location, metadata, tensors } = file;
  const number = (key: string): number => {
    const value = metadata.get(key)?.value;
    if (typeof value === "number" && value >= 0) return value;
    throw errorAt("imatrix", "is missing or no number", { file: location, key, hint: "is this an importance matrix of llama.cpp?" });
  };
  const [chunks, chunkSize] = [number(KEYS.chunks), number(KEYS.size)];
  const floats = async (name: string): Promise<Float32Array> => {
    const tensor = tensors.get(name);
    if (!tensor) throw errorAt("missing-tensor", "is missing", { file: location, tensor: name });
    if (tensor.type !== "F32") throw errorAt("imatrix", `is ${tensor.type}, expected F32`, { file: location, tensor: name });
    return new Float32Array((await file.read(name)).data.slice().buffer);
  };
  const entries = new Map<string, ImatrixEntry>();
  for (const name of tensors.keys()) {
    if (!name.endsWith(SUMS)) continue;
    const own = name.slice(0, -SUMS.length);
    entries.set(own, checkedEntry(own, { sums: await floats(name), counts: await floats(`${own}${COUNTS}`) }, location));
  }
  if (entries.size === 0) throw errorAt("imatrix", "it holds no sums of inputs (NAME.in_sum2)", { file: location });
  const datasets = metadata.get(KEYS.datasets);
  const names = datasets?.type === "array" && datasets.items === "string" ? datasets.value : [];
  return { entries, datasets: names.filter((name) => typeof name === "string"), chunks, chunkSize };
}

/** Metadata and tensors of the file of an importance matrix. @see llama.cpp `tools/imatrix/imatrix.cpp` save_imatrix */
export function ggufOfImatrix({ entries, datasets, chunks, chunkSize = 512 }: Imatrix): {
  readonly metadata: GgufMetadata;
  readonly tensors: readonly {
    readonly name: string;
    readonly type: "F32";
    readonly shape: readonly number[];
    readonly data: Uint8Array;
  }[];
} {
  const sorted = [...entries].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const bytes = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array => new Uint8Array(buffer, byteOffset, byteLength);
  return {
    metadata: new Map<string, GgufValue>([
      [KEYS.type, { type: "string", value: "imatrix" }],
      [KEYS.datasets, { type: "array", items: "string", value: datasets }],
      [KEYS.chunks, { type: "u32", value: chunks }],
      [KEYS.size, { type: "u32", value: chunkSize }],
    ]),
    tensors: sorted.flatMap(([name, { sums, counts }]) => [
      { name: `${name}${SUMS}`, type: "F32", shape: [counts.length, sums.length / counts.length], data: bytes(sums) } as const,
      { name: `${name}${COUNTS}`, type: "F32", shape: [counts.length, 1], data: bytes(counts) } as const,
    ]),
  };
}
