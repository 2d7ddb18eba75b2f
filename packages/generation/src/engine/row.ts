import { CancelledError, throwIfAborted } from "@weft/tensor-core";
import type { TokenRequest } from "./token-request.js";

/** A request under way. */
export class Sequence {
  readonly request: TokenRequest;
  /** Its adapter's name, if it has one of its own. */
  readonly adapter: string | undefined;
  /** From which token on its adapter acts, or the active one. */
  readonly actsFrom: number;
  /** The prompt, and what has been generated. */
  readonly tokens: number[];
  readonly done: Promise<void>;
  private settle!: { readonly resolve: () => void; readonly reject: (error: unknown) => void };

  constructor(request: TokenRequest, adapter: string | undefined, actsFrom: number) {
    this.request = request;
    this.adapter = adapter;
    this.actsFrom = actsFrom;
    this.tokens = [...request.tokens];
    this.done = new Promise((resolve, reject) => (this.settle = { resolve, reject }));
  }

  finish(): void {
    this.settle.resolve();
  }

  fail(error: unknown): void {
    this.settle.reject(error);
  }

  get cancelled(): boolean {
    return this.request.signal?.aborted ?? false;
  }

  /** What a cancelled request ends with. */
  cancellation(): unknown {
    try {
      throwIfAborted(this.request.signal);
    } catch (error) {
      return error;
    }
    return new CancelledError();
  }
}

/** A row of the cache: what it holds, and who uses it. */
export class Row {
  /** Tokens whose keys and values, or whose state, are in the cache. */
  held: number[] = [];
  /** So many tokens have been written: what is held, and behind it what has been given up since, or filled up. */
  written = 0;
  /** The adapter under which they came there, and from which of them on it acted. */
  adapter: string | undefined;
  actsFrom = 0;
  sequence: Sequence | undefined;

  /** How many tokens of its sequence have not been run. */
  get pending(): number {
    return this.sequence ? this.sequence.tokens.length - this.held.length : 0;
  }

  /** Whether its prompt is still to be run. A row of which nothing counts yet begins with a prompt, even of one token. */
  get isFilling(): boolean {
    return this.pending > 1 || (this.pending === 1 && this.held.length === 0);
  }

  /**
   * How much of what it holds serves a sequence; at least one token has to be run.
   * @param least if it is less than so many tokens it is none
   */
  reusable({ tokens, adapter, actsFrom }: Sequence, least: number): number {
    if (adapter !== this.adapter) return 0;
    const most = Math.min(this.held.length, tokens.length - 1);
    let same = 0;
    while (same < most && this.held[same] === tokens[same]) same++;
    // Where the adapter began to act at other places, what was run in between is not what it would be.
    if (actsFrom !== this.actsFrom) same = Math.min(same, actsFrom, this.actsFrom);
    return same < least ? 0 : same;
  }

  /** Gives the row to a sequence. @param kept so many of the tokens that it holds stay */
  take(sequence: Sequence, kept: number): void {
    this.held.length = kept;
    if (kept === 0) this.written = 0;
    this.adapter = sequence.adapter;
    this.actsFrom = sequence.actsFrom;
    this.sequence = sequence;
  }

  /** Notes that so many tokens have been run from a position on. */
  wrote(position: number, length: number): void {
    this.written = Math.max(this.written, position + length);
  }
}
