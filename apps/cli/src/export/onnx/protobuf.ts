import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { ioError } from "@weft/io-safetensors/node";
import { FormatError } from "@weft/tensor-core";

/** A field of a message of Protocol Buffers: a number (wire type 0), or what lies from `start` to `end`. */
export interface Field {
  readonly number: number;
  readonly wire: 0 | 1 | 2 | 5;
  readonly value: number;
  readonly start: number;
  readonly end: number;
}

/** Of these bytes at a time a file is read. */
const WINDOW = 1 << 16;
/** The longest text, or list of numbers, that is read whole. */
const LONGEST_TEXT = 1 << 20;

/** A file of messages of Protocol Buffers, of which fields are read as they are asked for: large ones are passed over. @see https://protobuf.dev/programming-guides/encoding */
export class ProtobufFile {
  readonly path: string;
  readonly size: number;
  private readonly file: number;
  private window: Uint8Array = new Uint8Array(0);
  private windowAt = 0;

  /** @throws IoError if it cannot be read */
  constructor(path: string) {
    this.path = path;
    try {
      this.file = openSync(path, "r");
      this.size = fstatSync(this.file).size;
    } catch (error) {
      throw ioError(error, path, "read");
    }
  }

  close(): void {
    closeSync(this.file);
  }

  /** The fields of the message that lies from `from` to `to`. @throws FormatError kind `truncated` where it is none */
  *fields(from = 0, to = this.size): Generator<Field> {
    let at = from;
    const varint = (): number => {
      let value = 0;
      for (let scale = 1, count = 0; count < 10; scale *= 128, count++) {
        if (at >= to) break;
        const byte = this.byte(at++);
        value += (byte & 127) * scale;
        if (byte < 128) return value;
      }
      throw this.broken("a number that does not end", at);
    };
    while (at < to) {
      const place = at;
      const key = varint();
      const [number, wire] = [Math.floor(key / 8), key % 8];
      const value = wire === 0 || wire === 2 ? varint() : 0;
      const length = wire === 2 ? value : wire === 5 ? 4 : wire === 1 ? 8 : 0;
      if (number === 0 || ![0, 1, 2, 5].includes(wire)) throw this.broken(`a field of wire type ${wire}`, place);
      if (at + length > to) throw this.broken(`a field of ${length} bytes, of which ${to - at} are there`, place);
      yield { number, wire: wire as Field["wire"], value, start: at, end: at + length };
      at += length;
    }
  }

  /** A field's bytes. @throws FormatError kind `limit` for more than a text may have */
  bytes({ start, end }: Pick<Field, "start" | "end">): Uint8Array {
    if (end - start > LONGEST_TEXT) throw this.broken(`a text of ${end - start} bytes`, start, "limit");
    return this.read(start, end - start);
  }

  /** A field as text. */
  text(field: Pick<Field, "start" | "end">): string {
    return new TextDecoder().decode(this.bytes(field));
  }

  /** Numbers of a repeated field: one, or several that are packed. */
  numbers(field: Field): number[] {
    if (field.wire === 0) return [field.value];
    const all: number[] = [];
    let [value, scale] = [0, 1];
    for (const byte of this.bytes(field)) {
      value += (byte & 127) * scale;
      scale *= 128;
      if (byte > 127) continue;
      all.push(value);
      [value, scale] = [0, 1];
    }
    return all;
  }

  /** An error that names the file and the byte. */
  broken(what: string, at: number, kind: "truncated" | "limit" = "truncated"): FormatError {
    return new FormatError(`${this.path}: byte ${at}: ${what}`, {
      kind,
      file: this.path,
      hint: "the file is no ONNX model, or it is damaged",
    });
  }

  private byte(at: number): number {
    if (at < this.windowAt || at >= this.windowAt + this.window.length) {
      this.window = this.read(at, Math.min(WINDOW, this.size - at));
      this.windowAt = at;
    }
    return this.window[at - this.windowAt]!;
  }

  private read(at: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    try {
      for (let done = 0; done < length;) {
        const count = readSync(this.file, bytes, done, length - done, at + done);
        if (count === 0) throw this.broken(`${length} bytes, of which ${done} are there`, at);
        done += count;
      }
    } catch (error) {
      throw error instanceof FormatError ? error : ioError(error, this.path, "read");
    }
    return bytes;
  }
}
