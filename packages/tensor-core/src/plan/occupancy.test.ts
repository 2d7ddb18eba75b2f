import { describe, expect, it } from "vitest";
import { Occupancy } from "./occupancy.js";

interface Block {
  readonly first: number;
  readonly last: number;
  readonly start: number;
  readonly end: number;
}

/** The lowest offset by looking at every block there is. */
function lowestOf(blocks: readonly Block[], first: number, last: number, bytes: number): number {
  const alive = blocks.filter((b) => b.first <= last && first <= b.last).sort((a, b) => a.start - b.start);
  let offset = 0;
  for (const { start, end } of alive) {
    if (offset + bytes <= start) break;
    offset = Math.max(offset, end);
  }
  return offset;
}

describe("the occupancy of an arena", () => {
  it.each([1, 2, 7, 64, 100])("gives over %i steps the lowest free place, as looking at every block does", (steps) => {
    let state = steps;
    const below = (n: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      return (state >>> 8) % n;
    };
    const occupancy = new Occupancy(steps);
    const blocks: Block[] = [];
    for (let i = 0; i < 300; i++) {
      const first = below(steps);
      const last = Math.min(steps - 1, first + below(i % 3 === 0 ? steps : 4));
      const bytes = 1 + below(20);
      const start = occupancy.lowest(first, last, bytes);
      expect(start).toBe(lowestOf(blocks, first, last, bytes));
      occupancy.take(first, last, start, start + bytes);
      blocks.push({ first, last, start, end: start + bytes });
    }
  });
});
