import { statSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import type { SafetensorsDType } from "@weft/io-safetensors";
import { ioError } from "@weft/io-safetensors/node";
import { FormatError } from "@weft/tensor-core";
import { type Field, ProtobufFile } from "./protobuf.js";

/** A constant of a model, in numbers that are written as they lie: where its bytes are. */
export interface Initializer {
  readonly name: string;
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  /** The model's file, or one beside it. */
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
}

/** A node that reads a value, and as which of its inputs. */
export interface Use {
  readonly node: string;
  readonly op: string;
  readonly input: number;
}

/** A value that a model is given. */
export interface ModelInput {
  readonly dtype: SafetensorsDType | undefined;
  readonly shape: readonly number[];
}

/** What of an ONNX model is looked at. */
export interface OnnxModel {
  readonly path: string;
  readonly initializers: ReadonlyMap<string, Initializer>;
  readonly uses: ReadonlyMap<string, readonly Use[]>;
  /** Other names of values: what nodes give that change nothing. */
  readonly aliases: ReadonlyMap<string, string>;
  readonly inputs: ReadonlyMap<string, ModelInput>;
  /** Files beside the model that hold constants, as it names them. */
  readonly locations: readonly string[];
}

/** `TensorProto.DataType` of floats. @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto */
const FLOATS: ReadonlyMap<number, readonly [SafetensorsDType, number]> = new Map([
  [1, ["F32", 4]],
  [10, ["F16", 2]],
  [16, ["BF16", 2]],
]);
/** Bodies of loops and branches lie in each other no deeper. */
const DEEPEST = 16;

/** Reads what a model consists of, and no constants. @throws FormatError for what is none, or names files that are not beside it; IoError */
export function readOnnxModel(path: string): OnnxModel {
  const file = new ProtobufFile(path);
  try {
    const found = new Reader(file);
    for (const field of file.fields()) if (field.number === 7) found.graph(field, 0);
    if (found.nodes === 0) throw file.broken("no graph with nodes", 0);
    const { initializers, uses, aliases, inputs, locations } = found;
    return { path, initializers, uses, aliases, inputs, locations: [...locations] };
  } finally {
    file.close();
  }
}

/** Puts down what is found on the way through a file. */
class Reader {
  readonly initializers = new Map<string, Initializer>();
  readonly uses = new Map<string, Use[]>();
  readonly aliases = new Map<string, string>();
  readonly inputs = new Map<string, ModelInput>();
  readonly locations = new Set<string>();
  nodes = 0;
  private readonly file: ProtobufFile;

  constructor(file: ProtobufFile) {
    this.file = file;
  }

  /** Of the graph itself all; of those within it, which run its constants, too, the nodes. */
  graph({ start, end }: Field, depth: number): void {
    if (depth > DEEPEST) throw this.file.broken(`graphs within graphs, more than ${DEEPEST} of them`, start, "limit");
    for (const field of this.file.fields(start, end)) {
      if (field.number === 1) this.node(field, depth);
      else if (depth === 0 && field.number === 5) this.initializer(field);
      else if (depth === 0 && field.number === 11) this.input(field);
    }
  }

  private node({ start, end }: Field, depth: number): void {
    const { file } = this;
    this.nodes++;
    const inputs: string[] = [];
    let [node, op, output] = [`node ${this.nodes}`, "", ""];
    for (const field of file.fields(start, end)) {
      if (field.number === 1) inputs.push(file.text(field));
      else if (field.number === 2) output = file.text(field);
      else if (field.number === 3) node = file.text(field) || node;
      else if (field.number === 4) op = file.text(field);
      else if (field.number === 5)
        for (const part of file.fields(field.start, field.end)) if (part.number === 6 || part.number === 11) this.graph(part, depth + 1);
    }
    if (op === "Identity") this.aliases.set(output, inputs[0]!);
    for (const [input, name] of inputs.entries()) this.uses.set(name, [...(this.uses.get(name) ?? []), { node, op, input }]);
  }

  private initializer({ start, end }: Field): void {
    const { file } = this;
    const shape: number[] = [];
    const entries = new Map<string, string>();
    let [name, type] = ["", 0];
    let data: Field | undefined;
    for (const field of file.fields(start, end)) {
      if (field.number === 1) shape.push(...file.numbers(field));
      else if (field.number === 2) type = field.value;
      else if (field.number === 8) name = file.text(field);
      // Floats that are packed lie as raw ones do.
      else if (field.number === 9 || (field.number === 4 && field.wire === 2)) data = field;
      else if (field.number === 13) entries.set(...this.entry(field));
    }
    const [dtype, width] = FLOATS.get(type) ?? [];
    const location = entries.get("location");
    if (location !== undefined) this.locations.add(this.beside(location));
    if (dtype === undefined || width === undefined) return;
    const bytes = shape.reduce((product, d) => product * d, width);
    const place =
      location === undefined
        ? data && { file: file.path, offset: data.start, bytes: data.end - data.start }
        : this.external(name, location, entries, bytes);
    if (!place) return;
    if (place.bytes !== bytes)
      throw file.broken(`${name} has ${place.bytes} bytes, its shape [${shape}] of ${dtype} asks for ${bytes}`, start);
    this.initializers.set(name, { name, dtype, shape, ...place });
  }

  private entry(field: Field): [string, string] {
    let [key, value] = ["", ""];
    for (const part of this.file.fields(field.start, field.end)) {
      if (part.number === 1) key = this.file.text(part);
      else if (part.number === 2) value = this.file.text(part);
    }
    return [key, value];
  }

  /** A name of a file that lies beside the model, or below. @throws FormatError kind `name` */
  private beside(location: string): string {
    const plain = posix.normalize(location);
    if (
      location === "" ||
      location.includes("\\") ||
      location.includes("\0") ||
      posix.isAbsolute(plain) ||
      plain.startsWith("..") ||
      /^[a-z]:/i.test(plain)
    )
      throw new FormatError(`${this.file.path}: constants lie in ${JSON.stringify(location)}, which is not beside the model`, {
        kind: "name",
        file: this.file.path,
        hint: "export the model anew, with its data in a file of the same folder",
      });
    return plain;
  }

  private external(
    name: string,
    location: string,
    entries: ReadonlyMap<string, string>,
    bytes: number,
  ): Pick<Initializer, "file" | "offset" | "bytes"> {
    const path = join(dirname(this.file.path), this.beside(location));
    const offset = Number(entries.get("offset") ?? 0);
    const length = Number(entries.get("length") ?? bytes);
    let size: number;
    try {
      ({ size } = statSync(path));
    } catch (error) {
      throw ioError(error, path, "read");
    }
    if (!Number.isSafeInteger(offset) || offset < 0 || offset + length > size)
      throw new FormatError(`${path}: ${name} lies at ${offset} … ${offset + length}, the file has ${size} bytes`, {
        kind: "truncated",
        file: path,
        tensor: name,
        hint: "fetch or export the model with its data again",
      });
    return { file: path, offset, bytes: length };
  }

  private input({ start, end }: Field): void {
    const { file } = this;
    let name = "";
    let dtype: SafetensorsDType | undefined;
    const shape: number[] = [];
    for (const field of file.fields(start, end)) {
      if (field.number === 1) name = file.text(field);
      if (field.number !== 2) continue;
      const tensors = [...file.fields(field.start, field.end)].filter((part) => part.number === 1);
      for (const part of tensors.flatMap((tensor) => [...file.fields(tensor.start, tensor.end)])) {
        if (part.number === 1) dtype = FLOATS.get(part.value)?.[0];
        if (part.number !== 2) continue;
        for (const dim of [...file.fields(part.start, part.end)].filter((one) => one.number === 1))
          shape.push([...file.fields(dim.start, dim.end)].find((one) => one.number === 1)?.value ?? -1);
      }
    }
    this.inputs.set(name, { dtype, shape });
  }
}
