/** Disjoint ranges of bytes in rising order; those that touch are one. */
class Ranges {
  readonly starts: number[] = [];
  readonly ends: number[] = [];

  /** Index of the first range that ends at or behind `at`. */
  from(at: number): number {
    let [low, high] = [0, this.ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.ends[middle]! < at) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  add(start: number, end: number): void {
    const first = this.from(start);
    let last = first;
    while (last < this.starts.length && this.starts[last]! <= end) last++;
    const merged = last > first;
    this.starts.splice(first, last - first, merged ? Math.min(start, this.starts[first]!) : start);
    this.ends.splice(first, last - first, merged ? Math.max(end, this.ends[last - 1]!) : end);
  }
}

/**
 * What is taken of an arena while a plan runs, by steps. A binary tree over the steps: a range of bytes is kept at the nodes whose steps it is
 * alive in as a whole (`covers`), and at all nodes above and at them as something that is alive in a part of theirs (`touches`), so that
 * both taking a range and looking for a free one cost a few short lists, however many blocks there are.
 */
export class Occupancy {
  private readonly leaves: number;
  private readonly covers: (Ranges | undefined)[];
  private readonly touches: (Ranges | undefined)[];

  constructor(steps: number) {
    this.leaves = 2 ** Math.ceil(Math.log2(Math.max(1, steps)));
    this.covers = Array.from({ length: 2 * this.leaves });
    this.touches = Array.from({ length: 2 * this.leaves });
  }

  /** Marks bytes `start … end-1` as taken from step `first` to step `last`. */
  take(first: number, last: number, start: number, end: number): void {
    const above = new Set<number>();
    for (const node of this.nodesOf(first, last)) {
      (this.covers[node] ??= new Ranges()).add(start, end);
      for (let n = node; n > 0 && !above.has(n); n >>= 1) above.add(n);
    }
    for (const node of above) (this.touches[node] ??= new Ranges()).add(start, end);
  }

  /** The lowest offset at which `bytes` are free from step `first` to step `last`. */
  lowest(first: number, last: number, bytes: number): number {
    const taken = new Set<Ranges>();
    for (const node of this.nodesOf(first, last)) {
      const inside = this.touches[node];
      if (inside) taken.add(inside);
      for (let n = node >> 1; n > 0; n >>= 1) {
        const around = this.covers[n];
        if (around) taken.add(around);
      }
    }
    let offset = 0;
    for (let moved = true; moved;) {
      moved = false;
      for (const ranges of taken) {
        for (let i = ranges.from(offset + 1); i < ranges.starts.length && ranges.starts[i]! < offset + bytes; i++) {
          offset = ranges.ends[i]!;
          moved = true;
        }
      }
    }
    return offset;
  }

  /** The fewest nodes whose steps are together `first … last`. */
  private nodesOf(first: number, last: number): number[] {
    const nodes: number[] = [];
    for (let [low, high] = [first + this.leaves, last + this.leaves + 1]; low < high; low >>= 1, high >>= 1) {
      if (low & 1) nodes.push(low++);
      if (high & 1) nodes.push(--high);
    }
    return nodes;
  }
}
