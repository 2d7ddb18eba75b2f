import { CapabilityError } from "@weft/tensor-core";

/** A parameter of an `.onnx_adapter` file: an input of the model that it is for. */
export interface AdapterParameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: "F32" | "F16";
  readonly data: Uint8Array;
}

/** Of the format, what onnxruntime reads. @see onnxruntime `lora/adapter_format_version.h` */
const FORMAT_VERSION = 1;
/** `TensorDataType` of the schema, which is ONNX's. */
const TYPES = { F32: 1, F16: 10 } as const;
/** Fields of the two tables, as offsets from their beginning: the first four bytes say where the table's description is. */
const ADAPTER = { formatVersion: 4, adapterVersion: 8, modelVersion: 12, parameters: 16, size: 20 } as const;
const PARAMETER = { name: 4, dims: 8, dataType: 12, rawData: 16, size: 20 } as const;
/** A FlatBuffer's references are 32 bits, of which readers take 31. */
const MOST_BYTES = 2 ** 31 - 1;

const aligned = (at: number, to: number): number => Math.ceil(at / to) * to;

/**
 * The bytes of an `.onnx_adapter` file: a FlatBuffer of the table `Adapter` with a vector of `Parameter`s, each a name, dimensions, element type and little-endian data.
 * @throws CapabilityError kind `unsupported-by-target` beyond 2 GiB
 * @see onnxruntime `lora/adapter_format/adapter_schema.fbs`; https://flatbuffers.dev/internals
 */
export function adapterFile(parameters: readonly AdapterParameter[]): Uint8Array {
  // A reference to the root, the identifier, and descriptions of the tables: their sizes, and where each field is.
  const [adapterFields, parameterFields] = [8, 20];
  const root = 32;
  const vector = root + ADAPTER.size;
  let end = vector + 4 + 4 * parameters.length;
  const placed = parameters.map((parameter) => {
    const name = new TextEncoder().encode(parameter.name);
    const table = aligned(end, 4);
    const nameAt = table + PARAMETER.size;
    // Elements of 64 bits, and the data, lie at multiples of eight, behind their number.
    const dimsAt = aligned(nameAt + 4 + name.length + 1 + 4, 8) - 4;
    const dataAt = aligned(dimsAt + 4 + 8 * parameter.shape.length + 4, 8) - 4;
    end = dataAt + 4 + parameter.data.length;
    return { ...parameter, bytesOfName: name, table, nameAt, dimsAt, dataAt };
  });
  if (end > MOST_BYTES)
    throw new CapabilityError(`an .onnx_adapter file has 2 GiB at most, this would have ${end} bytes`, {
      kind: "unsupported-by-target",
      hint: "weft resize makes the adapter smaller, weft export -o MODEL.onnx merges it",
    });
  const bytes = new Uint8Array(aligned(end, 8));
  const view = new DataView(bytes.buffer);
  const int = (at: number, value: number): void => view.setInt32(at, value, true);
  const reference = (at: number, to: number): void => view.setUint32(at, to - at, true);
  const describe = (at: number, size: number, fields: readonly number[]): void =>
    [4 + 2 * fields.length, size, ...fields].forEach((value, i) => view.setUint16(at + 2 * i, value, true));
  const list = (at: number, length: number): void => view.setUint32(at, length, true);

  reference(0, root);
  bytes.set(new TextEncoder().encode("TORT"), 4);
  describe(adapterFields, ADAPTER.size, [ADAPTER.formatVersion, ADAPTER.adapterVersion, ADAPTER.modelVersion, ADAPTER.parameters]);
  describe(parameterFields, PARAMETER.size, [PARAMETER.name, PARAMETER.dims, PARAMETER.dataType, PARAMETER.rawData]);
  int(root, root - adapterFields);
  int(root + ADAPTER.formatVersion, FORMAT_VERSION);
  int(root + ADAPTER.adapterVersion, 1);
  int(root + ADAPTER.modelVersion, 1);
  reference(root + ADAPTER.parameters, vector);
  list(vector, parameters.length);
  for (const [i, { table, nameAt, dimsAt, dataAt, bytesOfName, shape, dtype, data }] of placed.entries()) {
    reference(vector + 4 + 4 * i, table);
    int(table, table - parameterFields);
    reference(table + PARAMETER.name, nameAt);
    reference(table + PARAMETER.dims, dimsAt);
    int(table + PARAMETER.dataType, TYPES[dtype]);
    reference(table + PARAMETER.rawData, dataAt);
    list(nameAt, bytesOfName.length);
    bytes.set(bytesOfName, nameAt + 4);
    list(dimsAt, shape.length);
    shape.forEach((d, axis) => view.setBigInt64(dimsAt + 4 + 8 * axis, BigInt(d), true));
    list(dataAt, data.length);
    bytes.set(data, dataAt + 4);
  }
  return bytes;
}
