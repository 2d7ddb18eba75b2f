import { placeInDonated } from "./donation.js";
import { overwritable } from "./in-place.js";
import { Occupancy } from "./occupancy.js";
import type { BufferSpec, Step } from "./plan.js";

/** Alignment of buffers in the arena: a cache line, and what WebGPU asks of a storage offset divides into it with dynamic offsets of 256. */
const ALIGNMENT = 256;

interface Block {
  readonly buffers: number[];
  readonly bytes: number;
  first: number;
  last: number;
  offset: number;
}

/** A step may write over an input that nobody reads afterwards, if both are the same dense bytes. */
function inPlacePairs(steps: readonly Step[], blocks: ReadonlyMap<number, Block>): [input: number, output: number][] {
  const pairs: [number, number][] = [];
  steps.forEach((step, at) => {
    const free = overwritable(step).filter((operand) => blocks.get(operand.buffer)?.last === at);
    for (const output of step.outputs) {
      const mine = blocks.get(output.buffer);
      const match = mine && free.findIndex((operand) => operand.dtype === output.dtype && blocks.get(operand.buffer)!.bytes === mine.bytes);
      if (match === undefined || match < 0) continue;
      pairs.push([free.splice(match, 1)[0]!.buffer, output.buffer]);
    }
  });
  return pairs;
}

/**
 * Places scratch buffers in one arena: largest first, each at the lowest offset that is free while it lives; and outputs over donated inputs.
 * @param donated buffers of inputs that may be overwritten
 * @returns the buffers with offsets and the size of the arena in bytes
 */
export function planMemory(
  steps: readonly Step[],
  buffers: readonly { readonly role: BufferSpec["role"]; readonly bytes: number }[],
  donated: readonly number[],
): { buffers: BufferSpec[]; scratchBytes: number } {
  const blocks = new Map<number, Block>();
  steps.forEach((step, at) => {
    for (const { buffer } of [...step.inputs, ...step.outputs]) {
      if (buffers[buffer]!.role !== "scratch") continue;
      const block = blocks.get(buffer) ?? { buffers: [buffer], bytes: buffers[buffer]!.bytes, first: at, last: at, offset: 0 };
      block.last = at;
      blocks.set(buffer, block);
    }
  });
  for (const [input, output] of inPlacePairs(steps, blocks)) {
    const [kept, gone] = [blocks.get(input)!, blocks.get(output)!];
    if (kept === gone) continue;
    kept.last = gone.last;
    kept.buffers.push(...gone.buffers);
    for (const id of gone.buffers) blocks.set(id, kept);
  }
  const taken = new Occupancy(steps.length);
  let scratchBytes = 0;
  for (const block of [...new Set(blocks.values())].sort((a, b) => b.bytes - a.bytes || a.first - b.first)) {
    const { first, last, bytes } = block;
    const aligned = Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    block.offset = taken.lowest(first, last, aligned);
    taken.take(first, last, block.offset, block.offset + aligned);
    scratchBytes = Math.max(scratchBytes, block.offset + bytes);
  }
  const over = placeInDonated(steps, buffers, donated);
  const given = new Set(donated);
  const specs = buffers.map(({ role, bytes }, id): BufferSpec => {
    if (role === "scratch") return { role, bytes, offset: blocks.get(id)?.offset ?? 0 };
    if (role === "input") return given.has(id) ? { role, bytes, donated: true } : { role, bytes };
    const input = over.get(id);
    return input === undefined ? { role, bytes } : { role, bytes, over: input };
  });
  return { buffers: specs, scratchBytes };
}
