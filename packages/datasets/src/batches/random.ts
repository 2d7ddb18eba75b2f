/** Mixes the bits of a number so that each of the result depends on all. @see MurmurHash3, fmix32 */
function mixed(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A number from 0 to 2³² − 1 that depends on all keys, and on nothing else. */
export const keyed = (...keys: readonly number[]): number => keys.reduce((h, key) => mixed(mixed(h) ^ mixed(key + 0x9e3779b9)), 0x811c9dc5);

/** A number of a text. @see FNV-1a */
export function hashOf(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return mixed(h);
}
