import { decode, FormatError } from "@weft/tensor-core";
import { toCoreDType, type WeightSource } from "@weft/io-safetensors";

/** The first element of a tensor as a number: alpha is 0-dim in trained files, [1] in extracted ones, int64 in some. @throws FormatError kind `size-mismatch` */
export async function readScalar(weights: WeightSource, name: string): Promise<number> {
  const { shape } = weights.info(name);
  if (shape.reduce((a, b) => a * b, 1) !== 1)
    throw new FormatError(`${weights.location}: ${name} is [${shape.join(",")}], expected one number`, {
      kind: "size-mismatch",
      tensor: name,
      file: weights.location,
    });
  const { dtype, data } = await weights.read(name);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (dtype === "I64") return Number(view.getBigInt64(0, true));
  if (dtype === "F64") return view.getFloat64(0, true);
  const core = toCoreDType(dtype);
  if (core) return decode(data, core)[0]!;
  throw new FormatError(`${weights.location}: ${name} is ${dtype}, expected a number (a float or I64)`, {
    kind: "header-schema",
    tensor: name,
    file: weights.location,
  });
}
