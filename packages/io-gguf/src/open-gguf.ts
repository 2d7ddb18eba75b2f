import type { GgufFile } from "./gguf-file.js";
import { type ByteSource, type BytesInput, bytesOfInput, type HttpOptions, noSuchTensor, rowBytes } from "@weft/io-safetensors";
import { absoluteUrl, bytesOfUrl } from "@weft/io-safetensors/http";
import { readHeader } from "./read-header.js";
import { joinSplits, splitNames } from "./splits.js";

/** What can be opened without a file system: bytes, the answer to a `fetch`, a Blob or File, all Files of a model that is split, or a URL (of its first file). */
export type GgufInput = BytesInput | readonly Blob[] | URL | string;

/**
 * Opens a GGUF file for reading; only what comes before the data is read.
 * @throws FormatError with the kinds of `readHeader`, and of `joinSplits` for a model that is split; IoError kind `http`
 */
export async function openGguf(input: GgufInput, options: HttpOptions = {}): Promise<GgufFile> {
  if (typeof input === "string" || input instanceof URL) {
    const url = absoluteUrl(input);
    return openSplits(url, (name) => bytesOfUrl(new URL(name, url), options));
  }
  if (!Array.isArray(input)) return openSource(await bytesOfInput(input as BytesInput));
  return joinSplits(await openAll(input as readonly Blob[], async (blob) => openSource(await bytesOfInput(blob))));
}

/** Opens a file, and with it the others of its model if its name says that there are. @param open takes a name beside it */
export async function openSplits(location: string, open: (name: string) => Promise<ByteSource> | ByteSource): Promise<GgufFile> {
  const name = location.slice(location.lastIndexOf("/") + 1);
  const names = splitNames(name);
  if (!names) return openSource(await open(name));
  return joinSplits(await openAll(names, async (one) => openSource(await open(one))));
}

/** Opens all, or none. */
async function openAll<T>(what: readonly T[], open: (one: T) => Promise<GgufFile>): Promise<GgufFile[]> {
  const files: GgufFile[] = [];
  try {
    for (const one of what) files.push(await open(one));
    return files;
  } catch (error) {
    await Promise.all(files.map((file) => file.close()));
    throw error;
  }
}

/** One file over any source of bytes, which it closes. */
async function openSource(source: ByteSource): Promise<GgufFile> {
  try {
    const { version, metadata, tensors } = await readHeader(source);
    return {
      location: source.location,
      version,
      metadata,
      tensors,
      async read(name, rows) {
        const tensor = tensors.get(name);
        if (!tensor) throw noSuchTensor(name, source.location);
        const { start, length, shape } = rowBytes(tensor, rows);
        return { type: tensor.type, shape, data: await source.read(tensor.offset + start, length) };
      },
      close: () => source.close(),
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}
