import { RowEncoder, type PartBytes, type QuantFiles, type QuantFormat } from "@weft/quant-nf4-awq";
import type { StoredPart } from "../../plan/tensor-job.js";
import type { WeightKind } from "../../quantize/stored-tensors.js";

/** Takes bytes of a tensor of the output, in their order. */
export type PutBytes = (tensor: StoredPart, bytes: Uint8Array, at: number) => void;

/** Stores a quantised weight in its tensors as its rows come. */
export class WeightWriter {
  /** Rows that each call of `add` but the last must bring a multiple of. */
  readonly together: number;
  private readonly encoder: RowEncoder;
  private readonly byPart: ReadonlyMap<string, StoredPart>;
  private readonly written = new Map<StoredPart, number>();

  /**
   * @param files how the program of the format lays it down; undefined for GGUF, where a weight is one tensor
   * @param largest of formats with `readsLargest`: the largest magnitude of all rows
   * @param importance what each input counts
   */
  constructor(
    private readonly kind: WeightKind,
    private readonly files: QuantFiles | undefined,
    private readonly tensors: readonly StoredPart[],
    private readonly put: PutBytes,
    largest?: number,
    importance?: Float32Array,
  ) {
    this.encoder = new RowEncoder(kind.format, kind.shape, largest, importance);
    this.together = this.encoder.together;
    this.byPart = new Map(tensors.flatMap((tensor) => (tensor.part === undefined ? [] : [[tensor.part, tensor] as const])));
  }

  /** @param parts those of the rows, where they were made already */
  add(values: Float32Array, parts?: PartBytes): void {
    for (const { part, at, bytes } of this.encoder.add(values, parts)) this.write(this.byPart.get(part), bytes, at);
  }

  /** Writes what is only known when all rows are there, and fills up tensors that are longer than what they hold. */
  finish(): void {
    const kept = this.encoder.finish();
    for (const [part, bytes] of Object.entries(kept)) this.write(this.byPart.get(part), bytes, 0);
    const made = this.files?.write!({ ...this.kind, parts: { ...emptyStreams(this.kind), ...kept } });
    for (const tensor of this.tensors) {
      const text = tensor.part === undefined;
      if (text) this.write(tensor, made!.get(tensor.key)!.data, 0);
      const at = this.written.get(tensor) ?? 0;
      // Text of an unknown length has spaces behind it, which JSON allows.
      if (at < tensor.bytes) this.write(tensor, new Uint8Array(tensor.bytes - at).fill(text ? 0x20 : 0), at);
    }
  }

  private write(tensor: StoredPart | undefined, bytes: Uint8Array, at: number): void {
    if (!tensor) return;
    this.put(tensor, bytes, at);
    this.written.set(tensor, at + bytes.byteLength);
  }
}

/** What `write` needs of parts that are in the file already: that they are there. */
const emptyStreams = ({ format, shape }: { readonly format: QuantFormat; readonly shape: WeightKind["shape"] }): PartBytes =>
  Object.fromEntries([...RowEncoder.streams(format, shape)].map((part) => [part, new Uint8Array(0)]));
