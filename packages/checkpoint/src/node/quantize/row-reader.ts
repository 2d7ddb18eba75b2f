import { valuesOn } from "@weft/io-gguf";
import type { SafetensorsDType, TensorView } from "@weft/io-safetensors";
import { createWasmBackend } from "@weft/kernels-wasm";
import { dequantize, ggufWeight, QUANT_FILES, type QuantizedWeight, rowsPerBlock, weightRows } from "@weft/quant-nf4-awq";
import { bytesPerElement, Device } from "@weft/tensor-core";
import { coreDType } from "../../plan/tile-graph.js";
import { matrixOf, tileRows } from "../../quantize/encode-job.js";
import { type PackedSource, type RowSource, sourceRow, turned } from "../../quantize/row-source.js";
import { valuesOf } from "../../source/values.js";
import type { FileSet } from "../file-set.js";

/** Reads rows of values, however they are stored, as f32. */
export class RowReader {
  private opened: Promise<Device> | undefined;
  /** The quantised weight that rows were read of last. */
  private held: { readonly source: PackedSource; readonly weight: QuantizedWeight } | undefined;
  /** The values of the quantised matrix that lies the other way round, and was read of last: each of its rows is in all blocks. */
  private whole: { readonly source: RowSource; readonly values: Float32Array } | undefined;

  constructor(private readonly files: FileSet) {}

  /** Rows `start … stop-1` of a source, row-major. @throws FormatError, IoError naming the file */
  async read(source: RowSource, start: number, stop: number): Promise<Float32Array> {
    const stored = await this.inOrder(source, start, stop);
    return source.values ? valuesOn(source.values.to, source.values.of, stored) : stored;
  }

  /** Rows as they follow one another in the output. */
  private async inOrder(source: RowSource, start: number, stop: number): Promise<Float32Array> {
    const [rows, width] = matrixOf(source);
    if (!source.heads) return this.span(source, start, stop);
    // Rows of whole heads lie together.
    const size = rows / source.heads.count;
    const [first, last] = [Math.floor(start / size) * size, Math.ceil(stop / size) * size];
    const span = await this.span(source, first, last);
    const values = new Float32Array((stop - start) * width);
    for (let row = start; row < stop; row++) {
      const from = sourceRow({ ...source, shape: [rows, width] }, row) - first;
      values.set(span.subarray(from * width, (from + 1) * width), (row - start) * width);
    }
    return values;
  }

  /** A quantised weight as it is stored. */
  weight(source: PackedSource): QuantizedWeight {
    if (this.held?.source !== source) this.held = { source, weight: this.load(source) };
    return this.held.weight;
  }

  /** What computes values. */
  device(): Promise<Device> {
    return (this.opened ??= createWasmBackend({ threads: 1 }).then((backend) => new Device(backend)));
  }

  async close(): Promise<void> {
    this.held = undefined;
    this.whole = undefined;
    (await this.opened)?.dispose();
  }

  /** Rows as they follow one another in the source. */
  private async span(source: RowSource, start: number, stop: number): Promise<Float32Array> {
    const [rows, width] = matrixOf(source);
    if (source.given) return Float32Array.from(source.given).subarray(start * width, stop * width);
    if (source.turned && (source.packed || source.ggml)) return (await this.turnedWhole(source)).slice(start * width, stop * width);
    if (source.packed) return this.packedRows(source.packed, start, stop);
    const { file, offset, bytes } = source.at;
    if (source.turned) return this.turnedRows(source, start, stop);
    const row = rows === 0 ? 0 : bytes / rows;
    const data = new Uint8Array((stop - start) * row);
    this.files.readInto(file, data, offset + start * row);
    return source.ggml ? this.values(ggufWeight(source.ggml, [stop - start, width], data)) : floats(data, source.dtype);
  }

  private turnedRows({ shape, dtype, at }: RowSource, start: number, stop: number): Float32Array {
    const [rows, width] = shape as [number, number];
    const each = bytesPerElement(coreDType(dtype));
    const piece = new Uint8Array((stop - start) * each);
    const values = new Float32Array((stop - start) * width);
    for (let column = 0; column < width; column++) {
      this.files.readInto(at.file, piece, at.offset + (column * rows + start) * each);
      const own = floats(piece, dtype);
      for (let r = 0; r < own.length; r++) values[r * width + column] = own[r]!;
    }
    return values;
  }

  private async turnedWhole(source: RowSource): Promise<Float32Array> {
    if (this.whole?.source === source) return this.whole.values;
    this.whole = undefined;
    const stored = turned(source);
    const [rows, width] = matrixOf(stored);
    const values = new Float32Array(rows * width);
    const together = tileRows([rows, width], stored.packed ? rowsPerBlock(this.weight(stored.packed).format, [rows, width]) : 1);
    for (let row = 0; row < rows; row += together) {
      const stop = Math.min(rows, row + together);
      transposeInto(values, await this.span(stored, row, stop), [row, stop], rows, width);
    }
    this.whole = { source, values };
    return values;
  }

  private async packedRows(source: PackedSource, start: number, stop: number): Promise<Float32Array> {
    const weight = this.weight(source);
    const [out, width] = weight.shape;
    const together = rowsPerBlock(weight.format, weight.shape);
    const [first, last] = [Math.floor(start / together) * together, Math.min(out, Math.ceil(stop / together) * together)];
    const values = await this.values(weightRows(weight, first, last));
    return values.subarray((start - first) * width, (stop - first) * width);
  }

  private load({ method, path, config, tensors }: PackedSource): QuantizedWeight {
    const views = Object.entries(tensors).map(([name, { file, offset, bytes, dtype, shape }]): [string, TensorView] => {
      const data = new Uint8Array(bytes);
      this.files.readInto(file, data, offset);
      return [name, { dtype, shape, data }];
    });
    return QUANT_FILES.find((files) => files.method === method)!.read(new Map(views), { path, ...(config && { config }) });
  }

  private async values(weight: QuantizedWeight): Promise<Float32Array> {
    return dequantize(weight, await this.device());
  }
}

function floats(data: Uint8Array, dtype: SafetensorsDType): Float32Array {
  const values = valuesOf(data, dtype)!;
  return values instanceof Float32Array ? values : Float32Array.from(values);
}

/** Puts rows of a matrix [rows, width] where they are in the transposed one. */
function transposeInto(
  to: Float32Array,
  values: Float32Array,
  [start, stop]: readonly [number, number],
  rows: number,
  width: number,
): void {
  for (let row = start; row < stop; row++)
    for (let column = 0; column < width; column++) to[column * rows + row] = values[(row - start) * width + column]!;
}
