/** Names further away than this many edits are no help to anyone. */
const MAX_DISTANCE = 10;

/** The names closest to `wanted` by edit distance, nearest first; those too far away are left out. */
export function nearestNames(wanted: string, names: Iterable<string>, count = 1): string[] {
  const found: { name: string; distance: number }[] = [];
  for (const name of names) {
    const limit = found.length < count ? MAX_DISTANCE : found.at(-1)!.distance - 1;
    const distance = editDistance(wanted, name, limit);
    if (distance > limit) continue;
    found.push({ name, distance });
    found.sort((a, b) => a.distance - b.distance);
    found.length = Math.min(found.length, count);
  }
  return found.map(({ name }) => name);
}

/** Levenshtein distance, or something greater than `limit` as soon as it must be. Takes time proportional to length · limit. */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  const far = limit + 1;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = Array.from({ length: b.length + 1 }, () => far);
    if (i <= limit) next[0] = i;
    let best = next[0]!;
    for (let j = Math.max(1, i - limit); j <= Math.min(b.length, i + limit); j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(change, row[j]! + 1, next[j - 1]! + 1);
      best = Math.min(best, next[j]!);
    }
    if (best > limit) return far;
    row = next;
  }
  return row[b.length]!;
}

/** What other programs call dtypes. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ["fp32", "f32"],
  ["float32", "f32"],
  ["float", "f32"],
  ["fp16", "f16"],
  ["float16", "f16"],
  ["half", "f16"],
  ["bfloat16", "bf16"],
  ["int32", "i32"],
  ["int8", "i8"],
  ["uint8", "u8"],
]);

/** The one of `names` that a text which is none of them most likely means: another spelling of it, or the nearest, unless more than half of the text differs. */
export function meantName(text: string, names: readonly string[]): string | undefined {
  const plain = text.toLowerCase();
  const known = ALIASES.get(plain.replace(/^torch\./, "")) ?? plain;
  const [near] = nearestNames(text, names);
  const alike = near !== undefined && editDistance(text, near, text.length) <= text.length / 2;
  return names.find((name) => name.toLowerCase() === known) ?? (alike ? near : undefined);
}
