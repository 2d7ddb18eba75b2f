/** An ONNX model with one MatMul of two f32 inputs, A [m, k] and B [k, n], written by hand: a protocol buffer of a hundred bytes. */
export function matmulModel(m: number, k: number, n: number): Uint8Array {
  const node = message([string(1, "A"), string(1, "B"), string(2, "C"), string(4, "MatMul")]);
  const graph = message([
    bytes(1, node),
    string(2, "g"),
    bytes(11, valueInfo("A", [m, k])),
    bytes(11, valueInfo("B", [k, n])),
    bytes(12, valueInfo("C", [m, n])),
  ]);
  const opset = message([string(1, ""), varint(2, 13)]);
  return Uint8Array.from(message([varint(1, 8), bytes(7, graph), bytes(8, opset)]));
}

function valueInfo(name: string, shape: readonly number[]): number[] {
  const dimensions = message(shape.map((d) => bytes(1, varint(1, d))));
  const tensorType = message([varint(1, 1), bytes(2, dimensions)]); // element type 1: float
  return message([string(1, name), bytes(2, bytes(1, tensorType))]);
}

const message = (fields: readonly number[][]): number[] => fields.flat();

function unsigned(value: number): number[] {
  const out: number[] = [];
  for (let v = value; ; v = Math.floor(v / 128)) {
    if (v < 128) return [...out, v];
    out.push((v % 128) + 128);
  }
}

const varint = (field: number, value: number): number[] => [...unsigned(field * 8), ...unsigned(value)];
const bytes = (field: number, content: readonly number[]): number[] => [
  ...unsigned(field * 8 + 2),
  ...unsigned(content.length),
  ...content,
];
const string = (field: number, text: string): number[] => bytes(field, [...new TextEncoder().encode(text)]);
