import type { LoopSource } from "../loops/loop.js";
import type { ElementType } from "../model/messages.js";

/** An input or output of a session. */
export interface SessionPort {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** Of a buffer that lies there. */
  readonly bytes: number;
}

/** A part of a file: what a loop makes of the buffers that it reads, or without one what is in a buffer. */
export interface FilePart {
  readonly offset: number;
  readonly bytes: number;
  readonly source?: LoopSource;
  readonly reads: readonly { readonly buffer: number; readonly bytes: number }[];
}

/** What the thread is asked to do. Buffers and sessions are numbers that the caller gives. */
export type Request =
  | { readonly do: "write"; readonly buffer: number; readonly bytes: number; readonly offset: number; readonly data: Uint8Array }
  | { readonly do: "read"; readonly buffer: number; readonly offset: number; readonly bytes: number }
  | { readonly do: "free"; readonly buffer: number }
  | {
      readonly do: "open";
      readonly session: number;
      readonly model: Uint8Array;
      readonly options: object;
      readonly inputs: readonly SessionPort[];
      readonly outputs: readonly SessionPort[];
    }
  | { readonly do: "run"; readonly session: number; readonly inputs: Int32Array; readonly outputs: Int32Array }
  | { readonly do: "store"; readonly path: string; readonly parts: readonly FilePart[] }
  /** Makes a session whose options have it save its model, and gives what it saved. */
  | { readonly do: "pack"; readonly model: Uint8Array; readonly options: object; readonly saved: string }
  /** Moves parts of a file to places in another; nothing is left of it. */
  | {
      readonly do: "append";
      readonly from: string;
      readonly path: string;
      readonly parts: readonly { readonly offset: number; readonly length: number; readonly to: number }[];
    }
  | { readonly do: "remove"; readonly path: string }
  | { readonly do: "close"; readonly session: number }
  | { readonly do: "stop" };

/** What it answers: the request's number, and its result or what went wrong. The first answer, number 0, tells that it has started, and lists the providers as JSON. */
export interface Answer {
  readonly call: number;
  readonly result?: Uint8Array;
  readonly error?: string;
}

/** Words of the block that both threads see: requests sent, and the number of the last one that was answered. */
export const SIGNAL: { readonly [name in "sent" | "answered"]: number } = { sent: 0, answered: 1 };
