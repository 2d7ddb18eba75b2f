import type { Reply } from "../protocol/commands.js";
import type { EngineEvent } from "../protocol/events.js";

/** What the server tells the thread of the engine: a command under a number of its own, since ids are the pages', a file, or to pause and save everything. */
export type ToThread =
  | { readonly number: number; readonly command: unknown }
  | { readonly put: string; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly rest: true };

/** What the thread of the engine says. */
export type FromThread = { readonly number: number; readonly reply: Reply } | { readonly event: EngineEvent } | { readonly rested: true };
