import { CapabilityError, type Device, FormatError, type Tensor } from "@weft/tensor-core";
import { bitsPerElement, type LocatedTensor } from "@weft/io-safetensors";
import type { OpenedValues } from "../open-values.js";
import { valuesOf } from "../../source/values.js";

/** Bytes of a tensor that are read at a time: fits the second-level cache with what is computed from it. */
const TILE_BYTES = 1 << 20;

/** Reads how tensors of two checkpoints differ, tile by tile, with memory that is used again for every tensor. */
export class ChangeReader {
  private readonly tiles: readonly [Uint8Array, Uint8Array] = [new Uint8Array(TILE_BYTES), new Uint8Array(TILE_BYTES)];
  /** Values of bf16, widened. */
  private readonly wide: readonly [Uint32Array, Uint32Array] = [new Uint32Array(TILE_BYTES / 2), new Uint32Array(TILE_BYTES / 2)];

  private readonly change = new Float32Array(TILE_BYTES);

  constructor(
    private readonly base: OpenedValues,
    private readonly tuned: OpenedValues,
  ) {}

  /**
   * tuned - base of a tensor in f32, as a matrix [rows, everything else] in the device's memory, where nothing else of it is kept; undefined if no
   * element is larger than `least`.
   * @throws FormatError kind `non-finite` with the first such place; CapabilityError for dtypes without values here
   */
  async read(name: string, device: Device, least: number): Promise<Tensor | undefined> {
    const [before, after] = [this.base.weights.info(name), this.tuned.weights.info(name)];
    const total = after.shape.reduce((a, b) => a * b, 1);
    const buffer = device.backend.allocate(4 * total);
    const rows = after.shape[0]!;
    const change = device.adopt(buffer, [rows, total / rows], "f32");
    let most = 0;
    try {
      for await (const { at, a, b } of this.pairsOfTiles(before, after, total)) {
        const [x, y] = [this.valuesOf(0, a, before), this.valuesOf(1, b, after)];
        const tile = this.change.subarray(0, y.length);
        const largest = subtract(y, x, tile);
        if (!Number.isFinite(largest)) {
          const index = tile.findIndex((d) => !Number.isFinite(d));
          throw nonFinite(Number.isFinite(y[index]) ? before : after, at + index);
        }
        most = Math.max(most, largest);
        device.backend.upload(buffer, new Uint8Array(tile.buffer, 0, tile.byteLength), 4 * at);
      }
    } catch (error) {
      change.dispose();
      throw error;
    }
    if (most > least) return change;
    change.dispose();
    return undefined;
  }

  /** Whether a tensor that both have in one shape holds other bytes. */
  async differs(name: string): Promise<boolean> {
    const [before, after] = [this.base.weights.info(name), this.tuned.weights.info(name)];
    if (before.dtype !== after.dtype) return true;
    const total = after.shape.reduce((a, b) => a * b, 1);
    for await (const { a, b } of this.pairsOfTiles(before, after, total))
      if (!Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(b)) return true;
    return false;
  }

  private valuesOf(which: 0 | 1, bytes: Uint8Array, { name, dtype }: LocatedTensor): Float32Array {
    if (dtype === "BF16") {
      const raw = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
      const wide = this.wide[which].subarray(0, raw.length);
      for (let i = 0; i < raw.length; i++) wide[i] = raw[i]! << 16;
      return new Float32Array(wide.buffer, wide.byteOffset, wide.length);
    }
    const found = valuesOf(bytes, dtype);
    if (!found) throw new CapabilityError(`${name}: ${dtype} tensors are not computed with`, { kind: "unsupported-dtype", tensor: name });
    return found instanceof Float32Array ? found : Float32Array.from(found);
  }

  private async *pairsOfTiles(
    before: LocatedTensor,
    after: LocatedTensor,
    total: number,
  ): AsyncIterable<{ at: number; a: Uint8Array; b: Uint8Array }> {
    const [bitsA, bitsB] = [bitsPerElement(before.dtype), bitsPerElement(after.dtype)];
    const step = Math.floor((TILE_BYTES * 8) / Math.max(bitsA, bitsB) / 8) * 8;
    for (let at = 0; at < total; at += step) {
      const count = Math.min(step, total - at);
      const tile = async (which: 0 | 1, info: LocatedTensor, bits: number): Promise<Uint8Array> => {
        const bytes = this.tiles[which].subarray(0, Math.ceil((count * bits) / 8));
        await (which === 0 ? this.base : this.tuned).reader.readInto(info.file, bytes, info.offset + (at * bits) / 8);
        return bytes;
      };
      yield { at, a: await tile(0, before, bitsA), b: await tile(1, after, bitsB) };
    }
  }
}

/** out := a - b. @returns the largest size of a difference; NaN or infinity if one is not finite */
function subtract(a: Float32Array, b: Float32Array, out: Float32Array): number {
  let most = 0;
  for (let i = 0; i < out.length; i++) {
    const d = Math.fround(a[i]! - b[i]!);
    out[i] = d;
    const size = d < 0 ? -d : d;
    // A NaN is taken as well, and stays.
    if (!(size <= most)) most = size > most || Number.isNaN(size) ? size : most;
  }
  return most;
}

const nonFinite = ({ name, file }: LocatedTensor, index: number): FormatError =>
  new FormatError(`${name}: element ${index} is not finite, so there is no SVD of its change`, {
    kind: "non-finite",
    file,
    tensor: name,
    hint: "weft inspect --stats lists the tensors that hold such values",
  });
