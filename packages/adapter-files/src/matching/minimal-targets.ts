/** All ends of a dotted name, the shortest first. */
function suffixes(name: string): string[] {
  const parts = name.split(".");
  return parts.map((_, i) => parts.slice(i).join(".")).reverse();
}

function compare(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i]! < b[i]! ? -1 : 1;
  return a.length - b.length;
}

/**
 * The fewest suffixes that name the targets and none of the other modules; the targets themselves if that is no fewer.
 * @see peft `tuners/tuners_utils.py` _find_minimal_target_modules
 */
export function minimalTargets(targets: readonly string[], others: readonly string[]): readonly string[] {
  const taken = new Set(others.flatMap(suffixes));
  const found = new Set<string>();
  for (const ends of [...new Set(targets)].map(suffixes).sort(compare)) {
    const whole = ends.at(-1)!;
    for (const suffix of ends) {
      if (found.has(suffix) || taken.has(suffix)) continue;
      if ([...found].some((required) => whole.endsWith(`.${required}`))) continue;
      found.add(suffix);
      break;
    }
  }
  return found.size > 0 && found.size < targets.length ? [...found] : targets;
}
