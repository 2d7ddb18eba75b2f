import { describe, expect, it } from "vitest";
import { full } from "../ops/create.js";
import { Precedence } from "./precedence.js";
import { Unit } from "./units.js";

const { node } = full([], 0);

function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) % below;
  };
}

/** True if a path leads from one unit to another, found by walking everything. */
function reaches(from: Unit, to: Unit): boolean {
  const seen = new Set([from]);
  for (const unit of seen) for (const next of unit.after) seen.add(next);
  return seen.has(to);
}

/** Edges along which the rank does not rise. */
const falling = (units: readonly Unit[]): string[] =>
  units.flatMap((u) => [...u.after].filter((next) => next.rank <= u.rank).map((next) => `${u.id} → ${next.id}`));

describe("precedence", () => {
  it.each([1, 2, 3, 4])("takes an edge if, and only if, it closes no cycle, and ranks rise along all edges (seed %i)", (seed) => {
    const pick = generator(seed);
    const precedence = new Precedence();
    const units = Array.from({ length: 60 }, (_, id) => new Unit(id, node, [], true));
    units.forEach((u) => precedence.append(u));
    let taken = 0;
    for (let i = 0; i < 400; i++) {
      const [a, b] = [units[pick(60)]!, units[pick(60)]!] as const;
      if (a === b) continue;
      const cycle = reaches(b, a);
      expect(precedence.separate([a], [b])).toBe(!cycle);
      if (cycle) continue;
      precedence.link(a, b);
      taken++;
      expect(falling(units)).toEqual([]);
    }
    expect(taken).toBeGreaterThan(50);
  });

  it.each([5, 6, 7])("makes two units one unless a third must run between them (seed %i)", (seed) => {
    const pick = generator(seed);
    const precedence = new Precedence();
    const units = Array.from({ length: 40 }, (_, id) => new Unit(id, node, [], true));
    units.forEach((u) => precedence.append(u));
    for (let i = 0; i < 45; i++) {
      const [a, b] = [pick(40), pick(40)].sort((x, y) => x - y) as [number, number];
      if (a !== b) precedence.link(units[a]!, units[b]!);
    }
    const alive = new Set(units);
    let contracted = 0;
    for (const other of units) {
      for (const unit of other.after) {
        const between = [...other.after].some((u) => u !== unit && reaches(u, unit));
        expect(precedence.contract(unit, other)).toBe(!between);
        if (between) continue;
        contracted++;
        alive.delete(other);
        break;
      }
      expect(falling([...alive])).toEqual([]);
    }
    expect(contracted).toBeGreaterThan(10);
  });
});
