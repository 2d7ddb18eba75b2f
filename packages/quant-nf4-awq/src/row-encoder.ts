import { bytesPerElement, type MatrixShape, type PartSpec, ShapeError, sizeOf } from "@weft/tensor-core";
import { assertFinite, assertImportance, assertWritable, type PartBytes, type QuantFormat } from "./quant-format.js";

/** Bytes of a part that are complete. */
export interface PartPiece {
  readonly part: string;
  /** Where in the part they begin. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/**
 * Rows that are encoded together: the fewest that begin on an element of every part, as the format's `rows` of each part say.
 * @throws ShapeError if the rows of the weight do not fill the parts
 */
export function rowsPerBlock(format: QuantFormat, shape: MatrixShape): number {
  let together = 1;
  for (const [name, { shape: size, rows }] of Object.entries(format.parts(shape))) {
    if (!size.every(Number.isInteger))
      throw new ShapeError(`${format.name}: a weight of [${shape}] does not fill its ${name} of [${size}]`, {
        hint: "keep this weight in 16 bits, or take another format",
      });
    if (!rows) continue;
    const own = rows.rows / gcd(rows.elements, rows.rows);
    together *= own / gcd(together, own);
  }
  return Math.min(together, Math.max(1, shape[0]));
}

/** True for parts whose rows lie one behind the other: they are complete as far as rows are encoded. */
const isStream = ({ rows }: PartSpec): boolean => rows?.axis === 0;

/**
 * Stores a weight row by row, so that no more than some rows of it are in memory as numbers: what `quantize` gives for all rows at once, byte for byte. Parts whose
 * rows follow one another come out piece by piece; what lies across rows is kept until the end.
 */
export class RowEncoder {
  /** Rows that each call but the last must bring a multiple of. */
  readonly together: number;
  private readonly format: QuantFormat;
  private readonly largest: number | undefined;
  private readonly importance: Float32Array | undefined;
  private readonly specs: { readonly [part: string]: PartSpec };
  private readonly kept = new Map<string, Uint8Array>();
  private done = 0;

  /**
   * @param largest of formats with `readsLargest`: the largest magnitude of all rows
   * @param importance what each input counts, as for `quantize`
   * @throws ShapeError, CapabilityError as `quantize`
   */
  constructor(
    private readonly whole: QuantFormat,
    private readonly shape: MatrixShape,
    largest?: number,
    importance?: Float32Array,
  ) {
    assertWritable(whole, shape);
    this.largest = largest;
    this.importance = importance;
    if (importance) assertImportance(importance, shape[1], whole);
    this.format = whole.packs?.format ?? whole;
    this.together = rowsPerBlock(this.format, shape);
    this.specs = this.format.parts(shape);
  }

  /** Parts that `add` gives pieces of; all others come from `finish`. */
  static streams(format: QuantFormat, shape: MatrixShape): ReadonlySet<string> {
    const specs = Object.entries(format.parts(shape));
    // What is packed at the end is kept until then.
    return new Set(format.packs ? [] : specs.filter(([, spec]) => isStream(spec)).map(([name]) => name));
  }

  /** Bytes that are kept until the end. */
  static keptBytes(format: QuantFormat, shape: MatrixShape): number {
    const streams = RowEncoder.streams(format, shape);
    return Object.entries((format.packs?.format ?? format).parts(shape)).reduce(
      (sum, [name, { shape: size, dtype }]) => sum + (streams.has(name) ? 0 : sizeOf(size) * bytesPerElement(dtype)),
      0,
    );
  }

  /**
   * Takes the next rows.
   * @param values f32, row-major, whole rows
   * @param made the parts of these rows, where they are made already; else they are encoded
   * @throws FormatError kind `non-finite`; ShapeError for rows that are no multiple of `together` where more follow
   */
  add(values: Float32Array, made?: PartBytes): PartPiece[] {
    const [out, width] = this.shape;
    const count = values.length / width;
    const start = this.done;
    if (!Number.isInteger(count) || start + count > out || (start + count < out && count % this.together !== 0))
      throw new ShapeError(
        `${this.format.name}: ${values.length} values after row ${start} of [${this.shape}], expected multiples of ${this.together} rows`,
      );
    assertFinite(this.format, values, width, start);
    const parts = made ?? this.encode(values, [count, width]);
    this.done += count;
    const pieces: PartPiece[] = [];
    for (const [part, bytes] of Object.entries(parts)) {
      const spec = this.specs[part]!;
      const at = this.place(spec, start);
      if (isStream(spec) && !this.whole.packs) pieces.push({ part, at, bytes });
      else this.keep(part, spec, bytes, at, count);
    }
    return pieces;
  }

  private encode(values: Float32Array, shape: MatrixShape): PartBytes {
    const { format, importance, largest } = this;
    if (importance) return format.encodeWeighted!(values, shape, importance);
    return format.encode!(values, shape, format.readsLargest ? largest : undefined);
  }

  /** The parts that no pieces came of, when all rows are there. */
  finish(): PartBytes {
    if (this.done !== this.shape[0]) throw new ShapeError(`${this.format.name}: ${this.done} of ${this.shape[0]} rows`);
    const parts = Object.fromEntries(this.kept);
    return this.whole.packs ? this.whole.packs.parts(parts) : parts;
  }

  /** Bytes before a row along the part's axis, within one line of it. */
  private place({ shape, dtype, rows }: PartSpec, row: number): number {
    if (!rows) return 0;
    return ((row * rows.elements) / rows.rows) * sizeOf(shape.slice(rows.axis + 1)) * bytesPerElement(dtype);
  }

  /** Puts what rows take of a part among those of the others. */
  private keep(part: string, { shape, dtype, rows }: PartSpec, bytes: Uint8Array, at: number, count: number): void {
    if (!rows || (count === this.shape[0] && at === 0)) {
      this.kept.set(part, bytes);
      return;
    }
    const size = sizeOf(shape) * bytesPerElement(dtype);
    const whole = this.kept.get(part) ?? new Uint8Array(size);
    this.kept.set(part, whole);
    const lines = sizeOf(shape.slice(0, rows.axis));
    const [line, own] = [size / lines, bytes.byteLength / lines];
    for (let i = 0; i < lines; i++) whole.set(bytes.subarray(i * own, (i + 1) * own), i * line + at);
  }
}
