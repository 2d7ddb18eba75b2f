/** A part of a text, and whether it is not in the other. */
export interface Piece {
  readonly text: string;
  readonly changed: boolean;
}

const wordsOf = (text: string): string[] => text.match(/\s+|\S+/g) ?? [];

/** What of a text is not in another, word by word: what is left beside their longest common sequence of words. */
export function diffWords(before: string, after: string): Piece[] {
  const [a, b] = [wordsOf(before), wordsOf(after)];
  const width = b.length + 1;
  const common = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      common[i * width + j] =
        a[i] === b[j] ? common[(i + 1) * width + j + 1]! + 1 : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!);
  const pieces: { text: string; changed: boolean }[] = [];
  const add = (text: string, changed: boolean): void => {
    const last = pieces.at(-1);
    if (last?.changed === changed) last.text += text;
    else pieces.push({ text, changed });
  };
  for (let i = 0, j = 0; j < b.length;) {
    if (i < a.length && a[i] === b[j]) {
      add(b[j++]!, false);
      i++;
    } else if (i < a.length && common[(i + 1) * width + j]! >= common[i * width + j + 1]!) i++;
    else add(b[j++]!, true);
  }
  return pieces;
}
