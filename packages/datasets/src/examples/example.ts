import type { ChatMessage } from "@weft/tokenizers/chat";
import type { Place } from "../data-error.js";

/** A text, or messages that the chat template writes. */
export type Turns = string | readonly ChatMessage[];

/** What every example may have besides. */
interface Common {
  /** Functions that a chat may call, as JSON schemas. */
  readonly tools?: readonly object[];
  /** Where it stands. */
  readonly place: Place;
}

/** A text that is trained on as it is. */
export interface TextExample extends Common {
  readonly kind: "text";
  readonly text: string;
}

/** A chat, of which what the assistant says is trained on. */
export interface ChatExample extends Common {
  readonly kind: "chat";
  readonly messages: readonly ChatMessage[];
}

/** A prompt and what is to follow it. */
export interface CompletionExample extends Common {
  readonly kind: "completion";
  readonly prompt: Turns;
  readonly completion: Turns;
}

/** A prompt with an answer that is better than another (DPO, ORPO). */
export interface PreferenceExample extends Common {
  readonly kind: "preference";
  readonly prompt: Turns;
  readonly chosen: Turns;
  readonly rejected: Turns;
}

/** A prompt with an answer that is good or is not (KTO). */
export interface KtoExample extends Common {
  readonly kind: "kto";
  readonly prompt: Turns;
  readonly completion: Turns;
  readonly label: boolean;
}

/** What a model is trained on, one of several kinds. */
export type Example = TextExample | ChatExample | CompletionExample | PreferenceExample | KtoExample;
