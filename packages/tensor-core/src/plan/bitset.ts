/** A growable set of small integers. */
export class BitSet {
  private words: Uint32Array = new Uint32Array(4);

  has(i: number): boolean {
    return ((this.words[i >>> 5] ?? 0) & (1 << (i & 31))) !== 0;
  }

  add(i: number): void {
    this.grow((i >>> 5) + 1);
    this.words[i >>> 5]! |= 1 << (i & 31);
  }

  addAll(other: BitSet): void {
    this.grow(other.words.length);
    for (let w = 0; w < other.words.length; w++) this.words[w]! |= other.words[w]!;
  }

  private grow(length: number): void {
    if (this.words.length >= length) return;
    const wider = new Uint32Array(Math.max(length, 2 * this.words.length));
    wider.set(this.words);
    this.words = wider;
  }
}
