import { openFileBytes, writeFileAtomic } from "@weft/io-safetensors/node";
import { errorAt } from "@weft/io-safetensors";
import { encodeDat, readDat } from "../imatrix/dat.js";
import { ggufOfImatrix, readGgufImatrix } from "../imatrix/gguf.js";
import type { Imatrix } from "../imatrix/imatrix.js";
import { openGgufPath } from "./open-gguf-path.js";
import { writeGguf } from "./write-gguf.js";

/** Largest file of the older form that is read. */
const MAX_DAT_BYTES: number = 1 << 30;

/**
 * Reads an importance matrix of llama.cpp, of either form: GGUF, or the older one (`imatrix.dat`).
 * @throws FormatError kinds `imatrix`, `truncated`, `duplicate-key`, `missing-tensor`, `limit`, `not-found`, `no-permission`, and as `openGgufPath`; IoError
 */
export async function readImatrix(path: string): Promise<Imatrix> {
  const bytes = openFileBytes(path);
  try {
    const magic = bytes.size < 4 ? "" : String.fromCharCode(...(await bytes.read(0, 4)));
    if (magic !== "GGUF") {
      if (bytes.size > MAX_DAT_BYTES) throw errorAt("limit", `${bytes.size} bytes, at most ${MAX_DAT_BYTES} are read`, { file: path });
      return readDat(await bytes.read(0, bytes.size), path);
    }
  } finally {
    await bytes.close();
  }
  const file = await openGgufPath(path);
  try {
    return await readGgufImatrix(file);
  } finally {
    await file.close();
  }
}

/** Writes an importance matrix for llama.cpp: as GGUF where the name of the file ends in `.gguf`, else in the older form. @throws IoError; CancelledError */
export async function writeImatrix(path: string, imatrix: Imatrix): Promise<void> {
  if (!path.endsWith(".gguf")) return writeFileAtomic(path, encodeDat(imatrix));
  const { metadata, tensors } = ggufOfImatrix(imatrix);
  await writeGguf(path, metadata, tensors);
}
