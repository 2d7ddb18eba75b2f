import { valuesOn } from "@weft/io-gguf";
import { encodeOnto, GGUF_TYPES, QUANT_FILES, type QuantizedWeight, weightRows } from "@weft/quant-nf4-awq";
import { encode, type MatrixShape } from "@weft/tensor-core";
import type { StoredPart } from "../../plan/tensor-job.js";
import { coreDType } from "../../plan/tile-graph.js";
import { matrixOf, tileRows } from "../../quantize/encode-job.js";
import { type RowSource, sourceRow, turned } from "../../quantize/row-source.js";
import type { WeightKind } from "../../quantize/stored-tensors.js";
import type { RowReader } from "./row-reader.js";
import { type PutBytes, WeightWriter } from "./weight-writer.js";

/** Stores new values of a base's tensor as the base stores it: in its format, its tensors and its order of rows. */
export class StoredWriter {
  /** As it is stored. */
  private readonly like: RowSource;
  private readonly shape: MatrixShape;
  /** The weight before, whose format it is; undefined for GGUF's. */
  private readonly before: QuantizedWeight | undefined;
  private readonly writer: WeightWriter | undefined;
  /** Rows that are not stored yet, and how many values of them there are. */
  private readonly rows: Float32Array;
  /** All values in the order of the file, where that is the transposed matrix's; and how many there are. */
  private readonly whole: Float32Array | undefined;
  private placed = 0;
  private filled = 0;
  private done = 0;
  private plainBytes = 0;
  private queue: Promise<void> = Promise.resolve();

  /** @param largest of formats with `readsLargest`: the largest magnitude of all values */
  constructor(
    source: RowSource,
    private readonly tensors: readonly StoredPart[],
    private readonly reader: RowReader,
    private readonly put: PutBytes,
    largest?: number,
  ) {
    const like = source.turned ? turned(source) : source;
    this.like = like;
    this.shape = matrixOf(like);
    if (source.turned) this.whole = new Float32Array(this.shape[0] * this.shape[1]);
    this.before = like.packed && reader.weight(like.packed);
    const kind: WeightKind | undefined = this.before ?? (like.ggml && { format: GGUF_TYPES[like.ggml], shape: this.shape, dtype: "f32" });
    const files = like.packed && QUANT_FILES.find(({ method }) => method === like.packed!.method);
    this.writer = kind && new WeightWriter(kind, files, tensors, put, largest);
    const head = like.heads ? this.shape[0] / like.heads.count : 1;
    this.rows = new Float32Array(tileRows(this.shape, (this.writer?.together ?? 1) * head) * this.shape[1]);
  }

  /** Takes the next values, f32, in the order of the reader. They may be written over once this returns. */
  add(bytes: Uint8Array): Promise<void> {
    const values = new Float32Array(bytes.slice().buffer);
    return (this.queue = this.queue.then(() => (this.whole ? this.turn(values, this.whole) : this.take(values))));
  }

  /** Stores what is left. */
  async finish(): Promise<void> {
    await this.queue;
    if (this.whole) await this.take(this.whole);
    if (this.filled > 0) await this.flush();
    this.writer?.finish();
  }

  private turn(values: Float32Array, whole: Float32Array): void {
    const [rows, width] = this.shape;
    for (const value of values) {
      whole[(this.placed % rows) * width + Math.floor(this.placed / rows)] = value;
      this.placed++;
    }
  }

  private async take(values: Float32Array): Promise<void> {
    for (let at = 0; at < values.length;) {
      const piece = values.subarray(at, at + this.rows.length - this.filled);
      this.rows.set(piece, this.filled);
      this.filled += piece.length;
      at += piece.length;
      if (this.filled === this.rows.length) await this.flush();
    }
  }

  private async flush(): Promise<void> {
    const width = this.shape[1];
    const count = this.filled / width;
    const values = this.asStored(this.inOrder(this.rows.subarray(0, this.filled), count));
    this.filled = 0;
    const start = this.done;
    this.done += count;
    if (this.writer) {
      const { before } = this;
      const onto = before && !before.format.readsLargest && !before.format.packs;
      const parts = onto ? await encodeOnto(weightRows(before, start, start + count), values, await this.reader.device()) : undefined;
      return this.writer.add(values, parts);
    }
    const bytes = encode(values, coreDType(this.like.dtype));
    this.put(this.tensors[0]!, bytes, this.plainBytes);
    this.plainBytes += bytes.byteLength;
  }

  /** What the file has in place of values. */
  private asStored(values: Float32Array): Float32Array {
    const { values: own } = this.like;
    return own ? valuesOn(own.to === "hf" ? "gguf" : "hf", own.of, values) : values;
  }

  /** Whole heads, in the order of the file. */
  private inOrder(values: Float32Array, count: number): Float32Array {
    if (!this.like.heads) return values;
    const width = this.shape[1];
    const ordered = new Float32Array(values.length);
    for (let row = 0; row < count; row++) {
      const to = sourceRow({ ...this.like, shape: this.shape }, this.done + row) - this.done;
      ordered.set(values.subarray(row * width, (row + 1) * width), to * width);
    }
    return ordered;
  }
}
