/** The longest piece of a prompt that runs at once; others wait no longer than it takes. */
export const LONGEST_PIECE = 256;
/** Below this a piece costs what reading the weights costs, however short it is. */
const SHORTEST_PIECE = 8;

/** A piece of a prompt: so many tokens, run as if they were `length`. */
export interface Piece {
  readonly tokens: number;
  readonly length: number;
}

/**
 * The next piece of `rest` tokens. Lengths are powers of two, so that few plans serve all prompts: the largest that fits, or the next one, filled up, where that is
 * nearly full.
 * @param room so many positions there are for what is filled up; none where each token changes a state
 */
export function nextPiece(rest: number, room: number): Piece {
  if (rest >= LONGEST_PIECE) return { tokens: LONGEST_PIECE, length: LONGEST_PIECE };
  const below = 2 ** Math.floor(Math.log2(rest));
  const above = Math.max(below * 2, SHORTEST_PIECE);
  const isNearlyFull = rest > below && rest * 4 >= above * 3;
  const filledUp = (isNearlyFull || rest < SHORTEST_PIECE) && above <= room;
  if (rest === 1 || !filledUp) return { tokens: below, length: below };
  return { tokens: rest, length: above };
}
