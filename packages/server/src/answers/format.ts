import type { ToolCall } from "@weft/tokenizers/chat";

/** A call of a tool with its number. */
export interface NumberedCall extends ToolCall {
  readonly id: string;
}

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
  /** What tools are called; `text` is what stands beside them. */
  readonly calls?: readonly NumberedCall[];
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
  /** What a stream says of a call: what is called, then with what. @param at which of the answer's calls it is */
  call(index: number, call: NumberedCall, at: number): readonly object[];
  end(index: number, finishReason: string): object;
}
