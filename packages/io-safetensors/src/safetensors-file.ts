import { noSuchTensor } from "./format-error.js";
import { type Header, headerLength, parseHeader } from "./header.js";
import {
  type ByteSource,
  type LocatedTensor,
  refuseForeign,
  rowBytes,
  type RowRange,
  type TensorView,
  type WeightSource,
} from "./weight-source.js";

/** Reads and checks the header of a safetensors file. @throws FormatError with the kinds of the format's checks */
export async function readHeader(source: ByteSource): Promise<Header> {
  const first = await source.read(0, Math.min(32, source.size));
  refuseForeign(first, source.location);
  const length = headerLength(first, source.size, source.location);
  return parseHeader(await source.read(8, length), source.size, source.location);
}

/** One safetensors file over any source of bytes. */
export async function openFile(source: ByteSource): Promise<WeightSource> {
  const { tensors, metadata } = await readHeader(source);
  const info = (name: string): LocatedTensor => {
    const found = tensors.get(name);
    if (!found) throw noSuchTensor(name, source.location);
    return { ...found, file: source.location };
  };
  return {
    location: source.location,
    metadata,
    warnings: [],
    names: () => tensors.keys(),
    has: (name) => tensors.has(name),
    info,
    async read(name: string, rows?: RowRange): Promise<TensorView> {
      const tensor = info(name);
      const { start, length, shape } = rowBytes(tensor, rows);
      return { dtype: tensor.dtype, shape, data: await source.read(tensor.offset + start, length) };
    },
    close: () => source.close(),
  };
}
