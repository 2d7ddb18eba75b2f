/** Longest context, in bytes. */
const CONTEXT = 4;

/**
 * Bits that a 5-gram of bytes needs for each byte of a text, interpolated with shorter ones as Witten and Bell do:
 * p(b | c) = (n(cb) + t(c)·p(b | c without its first byte)) / (n(c) + t(c)), t(c) being how many different bytes followed c.
 */
export function ngramBitsPerByte(training: readonly string[], text: readonly string[]): number {
  const counts = new Map<string, Map<number, number>>();
  const totals = new Map<string, number>();
  const bytesOf = (texts: readonly string[]): string => Buffer.from(texts.join("\n")).toString("latin1");
  const seen = bytesOf(training);
  for (let i = 0; i < seen.length; i++)
    for (let n = 0; n <= Math.min(CONTEXT, i); n++) {
      const context = seen.slice(i - n, i);
      const next = counts.get(context) ?? counts.set(context, new Map()).get(context)!;
      next.set(seen.charCodeAt(i), (next.get(seen.charCodeAt(i)) ?? 0) + 1);
      totals.set(context, (totals.get(context) ?? 0) + 1);
    }
  const asked = bytesOf(text);
  let bits = 0;
  for (let i = 0; i < asked.length; i++) {
    let p = 1 / 256;
    for (let n = 0; n <= Math.min(CONTEXT, i); n++) {
      const context = asked.slice(i - n, i);
      const next = counts.get(context);
      if (next) p = ((next.get(asked.charCodeAt(i)) ?? 0) + next.size * p) / (totals.get(context)! + next.size);
    }
    bits -= Math.log2(p);
  }
  return bits / asked.length;
}
