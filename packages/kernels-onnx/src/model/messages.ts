import { Writer } from "./writer.js";

/** Element types of ONNX (`TensorProto.DataType`). @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto */
export const TYPE = {
  f32: 1,
  u8: 2,
  i8: 3,
  u16: 4,
  i32: 6,
  i64: 7,
  bool: 9,
  f16: 10,
  u32: 12,
  bf16: 16,
} as const;

export type ElementType = (typeof TYPE)[keyof typeof TYPE];

/** A value of a node's attribute: whole numbers, text, a float, or the body of a loop. */
export type Attribute = number | readonly number[] | string | { readonly float: number } | { readonly graph: Writer };

function attribute(name: string, value: Attribute): Writer {
  const w = new Writer();
  w.text(1, name);
  const type = (code: number): void => w.int(20, code);
  if (typeof value === "number") {
    w.int(3, value);
    type(2);
  } else if (typeof value === "string") {
    w.text(4, value);
    type(3);
  } else if ("float" in value) {
    w.float(2, value.float);
    type(1);
  } else if ("graph" in value) {
    w.message(6, value.graph);
    type(5);
  } else {
    for (const v of value) w.int(8, v);
    type(7);
  }
  return w;
}

/** One call of an operator. `name` is what errors of the runtime call it. */
export interface Node {
  readonly op: string;
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export function nodeMessage({ op, domain, name, inputs, outputs, attributes }: Node, rename: (value: string) => string): Writer {
  const w = new Writer();
  for (const value of inputs) w.text(1, rename(value));
  for (const value of outputs) w.text(2, rename(value));
  w.text(3, name);
  w.text(4, op);
  for (const [key, value] of Object.entries(attributes)) w.message(5, attribute(key, value));
  if (domain !== "") w.text(7, domain);
  return w;
}

/** A constant whose bytes are in the model. */
export function tensorMessage(name: string, type: ElementType, shape: readonly number[], bytes: Uint8Array): Writer {
  const w = new Writer();
  for (const d of shape) w.int(1, d);
  w.int(2, type);
  w.text(8, name);
  w.data(9, bytes);
  return w;
}

/** Where bytes of a constant are, as ONNX has it: `location` (a file), `offset`, `length`, and what the runtime packed of them (`prepacked_0` …). */
export type ExternalData = readonly (readonly [key: string, value: string])[];

/** A constant whose bytes are in a file. */
export function externalTensorMessage(name: string, type: ElementType, shape: readonly number[], data: ExternalData): Writer {
  const w = new Writer();
  for (const d of shape) w.int(1, d);
  w.int(2, type);
  w.text(8, name);
  for (const [key, value] of data) {
    const entry = new Writer();
    entry.text(1, key);
    entry.text(2, value);
    w.message(13, entry);
  }
  w.int(14, 1);
  return w;
}

/** Name, type and shape of an input or output, which may be of any shape. */
export function valueMessage(name: string, type: ElementType, shape?: readonly number[]): Writer {
  const tensor = new Writer();
  tensor.int(1, type);
  if (shape) {
    const dims = new Writer();
    for (const d of shape) {
      const dim = new Writer();
      dim.int(1, d);
      dims.message(1, dim);
    }
    tensor.message(2, dims);
  }
  const wrapped = new Writer();
  wrapped.message(1, tensor);
  const w = new Writer();
  w.text(1, name);
  w.message(2, wrapped);
  return w;
}

const IR_VERSION = 10;
/** The version of the ONNX operators that models are written in: the first with BitCast. */
const OPERATORS = 26;

export function modelMessage(graph: Writer): Writer {
  const w = new Writer();
  w.int(1, IR_VERSION);
  w.message(7, graph);
  for (const [domain, version] of [
    ["", OPERATORS],
    ["com.microsoft", 1],
  ] as const) {
    const operators = new Writer();
    operators.text(1, domain);
    operators.int(2, version);
    w.message(8, operators);
  }
  return w;
}
