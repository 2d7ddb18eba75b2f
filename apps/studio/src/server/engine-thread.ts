import { Worker } from "node:worker_threads";
import type { Message, Reply } from "../protocol/commands.js";
import type { EngineEvent } from "../protocol/events.js";

/** An engine as its server sees it. */
export interface EngineLink {
  /** Answers a message, whatever it is. It never rejects. */
  handle(message: unknown): Promise<Reply>;
  /** Takes events as they come. */
  onEvent(listener: (event: EngineEvent) => void): void;
  close(): Promise<void>;
}

/**
 * An engine in a thread of its own: the server answers while a step is under way.
 * @param url of a program that calls `serveEngine` @param data for it
 */
export function engineThread(url: URL, data: unknown, onError: (error: unknown) => void): EngineLink {
  const thread = new Worker(url, { workerData: data });
  const waiting = new Map<string, (reply: Reply) => void>();
  let listener: (event: EngineEvent) => void = () => undefined;
  let sent = 0;
  thread.on("message", (message: Message | { readonly number: string; readonly reply: Reply }) => {
    if ("event" in message) return listener(message.event);
    if (!("number" in message)) return;
    waiting.get(message.number)?.(message.reply);
    waiting.delete(message.number);
  });
  thread.on("error", (error) => {
    onError(error);
    for (const [number, settle] of waiting) settle({ v: 1, id: number, error: { kind: "engine", message: "the engine has ended", hint: "start weft studio again" } });
    waiting.clear();
  });
  return {
    handle: (message) =>
      new Promise((resolve) => {
        const number = String(++sent);
        waiting.set(number, resolve);
        thread.postMessage({ number, message });
      }),
    onEvent: (take) => void (listener = take),
    close: async () => void (await thread.terminate()),
  };
}
