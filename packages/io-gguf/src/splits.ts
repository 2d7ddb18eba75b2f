import { errorAt, noSuchTensor } from "@weft/io-safetensors";
import type { GgufFile } from "./gguf-file.js";
import type { GgufTensor } from "./read-header.js";
import type { GgufValue } from "./values.js";

/** Keys that only files of a split model have. */
export const SPLIT_KEYS = { no: "split.no", count: "split.count", tensors: "split.tensors.count" } as const;

const SPLIT_NAME = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/;
/** Most files of a model, of llama.cpp's (a u16) and of its names. */
const MAX_SPLITS = 65_535;

/** `model-00002-of-00003.gguf`, counted from 1. */
export const splitName = (model: string, index: number, count: number): string =>
  `${model}-${String(index + 1).padStart(5, "0")}-of-${String(count).padStart(5, "0")}.gguf`;

/** The names of all files of a model, by that of one of them; undefined if it is the only one. */
export function splitNames(name: string): string[] | undefined {
  const [, model, , claimed] = SPLIT_NAME.exec(name) ?? [];
  const count = Number(claimed ?? 1);
  if (model === undefined || count < 2 || count > MAX_SPLITS) return undefined;
  return Array.from({ length: count }, (_, i) => splitName(model, i, count));
}

/**
 * The files of one model as one.
 * @param files in any order
 * @throws FormatError kinds `missing-split` (there are fewer files than they say, or they are of several models), `duplicate-key`
 */
export async function joinSplits(files: readonly GgufFile[]): Promise<GgufFile> {
  try {
    return join(files);
  } catch (error) {
    await Promise.all(files.map((file) => file.close()));
    throw error;
  }
}

function join(files: readonly GgufFile[]): GgufFile {
  const ordered = files.map((file) => ({ file, no: numberOf(file, SPLIT_KEYS.no) })).sort((a, b) => a.no - b.no);
  const first = ordered[0]?.file;
  if (!first) throw errorAt("missing-split", "no file is given");
  ordered.forEach(({ file, no }, i) => {
    const count = numberOf(file, SPLIT_KEYS.count);
    if (count !== files.length)
      throw errorAt("missing-split", `it is one of ${count} files, ${files.length} are given`, {
        file: file.location,
        key: SPLIT_KEYS.count,
      });
    if (no !== i) throw errorAt("missing-split", `${no}, expected ${i}`, { file: file.location, key: SPLIT_KEYS.no });
  });
  const tensors = new Map<string, GgufTensor>();
  const holders = new Map<string, GgufFile>();
  for (const { file } of ordered)
    for (const [name, tensor] of file.tensors) {
      if (tensors.has(name))
        throw errorAt("duplicate-key", `lies in ${tensors.get(name)!.file}, too`, { file: file.location, tensor: name });
      tensors.set(name, tensor);
      holders.set(name, file);
    }
  const total = numberOf(first, SPLIT_KEYS.tensors);
  if (total !== tensors.size)
    throw errorAt("missing-split", `${total} tensors, the files have ${tensors.size}`, { file: first.location, key: SPLIT_KEYS.tensors });
  const own: readonly string[] = Object.values(SPLIT_KEYS);
  return {
    location: first.location,
    version: first.version,
    metadata: new Map([...first.metadata].filter(([key]) => !own.includes(key))),
    tensors,
    async read(name, rows) {
      const holder = holders.get(name);
      if (!holder) throw noSuchTensor(name, first.location);
      return holder.read(name, rows);
    },
    close: async () => void (await Promise.all(files.map((file) => file.close()))),
  };
}

function numberOf(file: GgufFile, key: string): number {
  const found: GgufValue | undefined = file.metadata.get(key);
  if (typeof found?.value !== "number")
    throw errorAt(
      "missing-split",
      `${found === undefined ? "it is not there" : `of type ${found.type}`}, expected a number, as every file of a split model has`,
      {
        file: file.location,
        key,
      },
    );
  return found.value;
}
