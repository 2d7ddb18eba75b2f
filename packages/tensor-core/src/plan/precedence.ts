import type { Unit } from "./units.js";

/**
 * Units that one search may visit. Fusion asks about neighbours, which lie close together; between units far apart (a forward and a backward pass)
 * there is a path almost always, so a search that is given up counts as one.
 */
const SEARCH_LIMIT = 256;

/** All units that can be reached by `step` without leaving what `inside` admits; undefined if there are too many. */
function closure(from: Iterable<Unit>, step: (unit: Unit) => ReadonlySet<Unit>, inside: (unit: Unit) => boolean): Set<Unit> | undefined {
  const found = new Set<Unit>();
  for (const unit of from) {
    if (inside(unit)) found.add(unit);
    if (found.size > SEARCH_LIMIT) return undefined;
  }
  for (const unit of found) {
    for (const next of step(unit)) if (inside(next)) found.add(next);
    if (found.size > SEARCH_LIMIT) return undefined;
  }
  return found;
}

const byRank = (units: Iterable<Unit>): Unit[] => [...units].sort((a, b) => a.rank - b.rank);

/**
 * Keeps units in an order in which they can run, while edges are added: `rank` rises along every edge. An edge against the order moves only what
 * lies between its ends.
 * @see Pearce & Kelly 2006, "A dynamic topological sort algorithm for directed acyclic graphs"
 */
export class Precedence {
  private next = 0;

  /** Puts a new unit behind all others. */
  append(unit: Unit): void {
    unit.rank = this.next++;
  }

  /** Adds the edge from `first` to `second`, whose ranks rise already. */
  link(first: Unit, second: Unit): void {
    first.after.add(second);
    second.before.add(first);
  }

  /**
   * Moves units so that each of `first` ranks below each of `second`. False, and nothing changes, if one of `second` runs before one of
   * `first`, or if that is not found out within the limit.
   */
  separate(first: readonly Unit[], second: readonly Unit[]): boolean {
    const highest = Math.max(...first.map((u) => u.rank));
    const lowest = Math.min(...second.map((u) => u.rank));
    if (first.length === 0 || second.length === 0 || highest < lowest) return true;
    const later = closure(
      second,
      (u) => u.after,
      (u) => u.rank <= highest,
    );
    if (!later || first.some((u) => later.has(u))) return false;
    const earlier = closure(
      first,
      (u) => u.before,
      (u) => u.rank >= lowest,
    );
    if (!earlier) return false;
    const moved = [...byRank(earlier), ...byRank(later)];
    const ranks = moved.map((u) => u.rank).sort((a, b) => a - b);
    moved.forEach((u, i) => (u.rank = ranks[i]!));
    return true;
  }

  /** Makes `other` a part of `unit`, which runs after it. False, and nothing changes, if there is (or may be) a third unit between them. */
  contract(unit: Unit, other: Unit): boolean {
    if (other.after.size > SEARCH_LIMIT) return false;
    const users = [...other.after].filter((u) => u !== unit);
    if (!this.separate([unit], users)) return false;
    for (const user of users) {
      user.before.delete(other);
      this.link(unit, user);
    }
    for (const source of other.before) {
      source.after.delete(other);
      this.link(source, unit);
    }
    unit.before.delete(other);
    other.mergedInto = unit;
    return true;
  }
}
