import { bytesPerElement, type DType, type Frozen } from "@weft/tensor-core";
import type { OnnxBuffer } from "./executable.js";
import { type Loop, sourceOf } from "./loops/loop.js";
import { cast, copy } from "./loops/slice.js";
import type { Constant } from "./lower/lower-plan.js";
import type { FilePart } from "./runtime/protocol.js";

/** What the constants of a plan are made of: frozen inputs as they are, loops over them, and what was computed of them. */
export class Contents {
  private readonly frozen: Frozen;
  private readonly loops: ReadonlyMap<number, Loop>;
  private readonly computed: ReadonlyMap<number, OnnxBuffer>;

  constructor(frozen: Frozen, loops: ReadonlyMap<number, Loop>, computed: ReadonlyMap<number, OnnxBuffer>) {
    this.frozen = frozen;
    this.loops = loops;
    this.computed = computed;
  }

  /** The same for the same contents, in whatever plan. */
  key(buffer: number, dtype: DType): string {
    const loop = this.loops.get(buffer);
    const name = (id: number): string => this.frozen.get(id)?.key ?? `computed ${this.computed.get(id)!.id}`;
    if (!loop) return `${name(buffer)} ${dtype}`;
    const { id, turns } = sourceOf(loop.slice);
    return `${turns} × ${id}(${loop.reads.map(name)}) ${dtype}`;
  }

  /** What is to be written for a constant. */
  async part({ buffer, from, to, elements }: Constant): Promise<Omit<FilePart, "offset">> {
    const loop = this.loops.get(buffer);
    const bytes = elements * bytesPerElement(to);
    if (!loop && from === to) return { bytes, reads: [await this.memory(buffer)] };
    const { slice, reads } = loop ?? { slice: copy(elements, from), reads: [buffer] };
    const source = sourceOf(cast(slice, to));
    const memory: { buffer: number; bytes: number }[] = [];
    for (const port of source.ports) memory.push(await this.memory(reads[port]!));
    return { bytes, source, reads: memory };
  }

  private async memory(id: number): Promise<{ buffer: number; bytes: number }> {
    const { id: buffer, bytes } = (this.computed.get(id) ?? (await this.frozen.get(id)!.buffer())) as OnnxBuffer;
    return { buffer, bytes };
  }
}
