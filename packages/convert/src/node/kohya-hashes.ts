import { createHash } from "node:crypto";
import { layoutFile, type TensorEntry } from "@weft/io-safetensors";

/** What kohya's programs know an adapter by. */
export interface KohyaHashes {
  readonly sshs_model_hash: string;
  readonly sshs_legacy_hash: string;
}

/** The window that the old hash looks at. */
const [LEGACY_START, LEGACY_STOP] = [0x100000, 0x110000];

/**
 * kohya's hashes of a file of tensors: `sshs_model_hash` is the SHA-256 of its data section; `sshs_legacy_hash` the first 8 digits of that of 64 KiB
 * at 1 MiB of the file as it would be with nothing but `ss_*` in its metadata.
 * @param read the bytes of a tensor, in pieces
 * @see sd-scripts `library/train_util.py` precalculate_safetensors_hashes, addnet_hash_legacy
 */
export async function kohyaHashes(
  tensors: Iterable<TensorEntry>,
  metadata: ReadonlyMap<string, string>,
  read: (name: string) => AsyncIterable<Uint8Array> | Iterable<Uint8Array> | Promise<Uint8Array>,
): Promise<KohyaHashes> {
  const layout = layoutFile(tensors, new Map([...metadata].filter(([key]) => key.startsWith("ss_"))));
  const [model, legacy] = [createHash("sha256"), createHash("sha256")];
  const window = (bytes: Uint8Array, at: number): void => {
    const [from, to] = [Math.max(LEGACY_START, at), Math.min(LEGACY_STOP, at + bytes.byteLength)];
    if (from < to) legacy.update(bytes.subarray(from - at, to - at));
  };
  window(layout.header, 0);
  for (const { name, offset } of layout.tensors) {
    const data = await read(name);
    let at = offset;
    for await (const piece of data instanceof Uint8Array ? [data] : data) {
      model.update(piece);
      window(piece, at);
      at += piece.byteLength;
    }
  }
  return { sshs_model_hash: model.digest("hex"), sshs_legacy_hash: legacy.digest("hex").slice(0, 8) };
}
