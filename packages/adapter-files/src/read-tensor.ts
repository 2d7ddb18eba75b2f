import { type Device, type DType, DTypeError, encode, fromBytes, isFloat, reshape, swapLast, tensor, type Tensor } from "@weft/tensor-core";
import { type RowRange, toCoreDType, type WeightSource } from "@weft/io-safetensors";
import type { AdapterTensor } from "./opened-adapter.js";

/**
 * A tensor of a file as a constant; 16- and 64-bit integers become i32.
 * @throws DTypeError for dtypes that nothing computes with (F64, F4 …) and integers beyond 32 bits
 */
export async function readTensor(
  weights: WeightSource,
  name: string,
  options: { readonly rows?: RowRange; readonly device?: Device } = {},
): Promise<Tensor> {
  const { dtype, shape, data } = await weights.read(name, options.rows);
  const core = toCoreDType(dtype);
  if (core) return fromBytes(data, shape, core, options.device);
  const place = options.device ? { shape, device: options.device } : { shape };
  if (dtype === "I16") return tensor(Int32Array.from(new Int16Array(data.slice().buffer)), place);
  if (dtype !== "I64")
    throw new DTypeError(`${weights.location}: tensor ${name} is ${dtype}, a dtype that cannot be computed with`, {
      tensor: name,
      file: weights.location,
    });
  const values = Int32Array.from(new BigInt64Array(data.buffer, data.byteOffset, data.byteLength / 8), (x) => {
    if (x !== BigInt.asIntN(32, x))
      throw new DTypeError(`${weights.location}: tensor ${name} holds ${x}, which needs more than 32 bits`, { tensor: name });
    return Number(x);
  });
  return tensor(values, place);
}

/** A tensor of an adapter as its method wants it: the rows that are meant, in the axes that it says, turned where the file has it the other way round. */
export async function readAdapterTensor(weights: WeightSource, entry: AdapterTensor, device?: Device): Promise<Tensor> {
  const { name, rows, transposed, shape } = entry;
  const stored = await readTensor(weights, name, { ...(rows && { rows }), ...(device && { device }) });
  if (transposed) return swapLast(stored);
  return stored.shape.join() === shape.join() ? stored : reshape(stored, shape);
}

/** A constant in another float dtype; integers stay. */
export async function heldAs(t: Tensor, dtype: DType): Promise<Tensor> {
  return t.dtype === dtype || !isFloat(t.dtype) ? t : fromBytes(encode(await t.data(), dtype), t.shape, dtype);
}
