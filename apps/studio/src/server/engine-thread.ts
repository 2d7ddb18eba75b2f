import { Worker } from "node:worker_threads";
import type { Reply } from "../protocol/commands.js";
import type { EngineEvent } from "../protocol/events.js";
import type { FromThread, ToThread } from "./thread-messages.js";

/** An engine as its server sees it. */
export interface EngineLink {
  /** Answers a message, whatever it is. It never rejects. */
  handle(command: unknown): Promise<Reply>;
  /** Takes a file that a later command names by its id. */
  put(id: string, bytes: Uint8Array<ArrayBuffer>): void;
  /** Takes events as they come. */
  onEvent(listener: (event: EngineEvent) => void): void;
  /** Pauses and saves what is under way, and ends. */
  close(): Promise<void>;
}

/**
 * An engine in a thread of its own: the server answers while a step is under way.
 * @param url of a program that calls `serveEngine` @param data for it @param onEnd told if the thread ends by itself: nothing can be done with it then
 */
export function engineThread(url: URL, data: unknown, onEnd: (error: unknown) => void): EngineLink {
  const thread = new Worker(url, { workerData: data });
  const say = (message: ToThread): void => thread.postMessage(message);
  const waiting = new Map<number, (reply: Reply) => void>();
  let listener: ((event: EngineEvent) => void) | undefined;
  let rested: (() => void) | undefined;
  let sent = 0;
  thread.on("message", (message: FromThread) => {
    if ("event" in message) return listener?.(message.event);
    if ("rested" in message) return rested?.();
    waiting.get(message.number)?.(message.reply);
    waiting.delete(message.number);
  });
  thread.on("error", (error) => {
    rested?.();
    onEnd(error);
  });
  return {
    handle: (command) =>
      new Promise((resolve) => {
        waiting.set(++sent, resolve);
        say({ number: sent, command });
      }),
    put: (id, bytes) => say({ put: id, bytes }),
    onEvent: (take) => void (listener = take),
    async close() {
      await new Promise<void>((resolve) => {
        rested = resolve;
        say({ rest: true });
      });
      await thread.terminate();
    },
  };
}
