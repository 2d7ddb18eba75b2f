/** A token with its text, its UTF-8 bytes and its log-probability. */
export interface ToldToken {
  readonly text: string;
  readonly bytes: readonly number[];
  readonly logprob: number;
}

/** A token of an answer, with the likeliest in its place. */
export interface ToldLogprob extends ToldToken {
  readonly top: readonly ToldToken[];
}

/** What an answer grows by. */
export interface Piece {
  readonly text: string;
  /** If they are asked for. */
  readonly logprobs?: readonly ToldLogprob[];
}

/** An answer whole. */
export interface Choice extends Piece {
  readonly finishReason: string;
}

/** How answers are written: those of chats, and those of completions. */
export interface Format {
  readonly object: string;
  readonly chunkObject: string;
  readonly idPrefix: string;
  choice(index: number, choice: Choice): object;
  /** What a stream says before an answer, if anything. */
  head(index: number): object | undefined;
  /** @param offset of the piece's text in the answer */
  delta(index: number, piece: Piece, offset: number): object;
  end(index: number, finishReason: string): object;
}
