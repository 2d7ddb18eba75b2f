/** Positions in a text in UTF-16 units as positions in code points, which is how Python counts; within a character, that of the character. */
export function codePointIndex(text: string): (at: number) => number {
  if (!/[\ud800-\udbff][\udc00-\udfff]/.test(text)) return (at) => at;
  const index = new Int32Array(text.length + 1);
  let [at, points] = [0, 0];
  for (const char of text) {
    for (let unit = 0; unit < char.length; unit++) index[at++] = points;
    points++;
  }
  index[at] = points;
  return (unit) => index[unit]!;
}
