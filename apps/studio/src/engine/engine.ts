import type { Device } from "@weft/tensor-core";
import * as v from "valibot";
import { type Answer, ANSWERS, type Command, COMMAND, type CommandType, type Reply } from "../protocol/commands.js";
import type { CommandContext } from "./commands/command-context.js";
import { HANDLERS } from "./commands/index.js";
import { usedBytes } from "./device-state.js";
import { Documents } from "./documents/documents.js";
import { EventLog } from "./event-log.js";
import { EncodedExamples } from "./examples.js";
import { failureOf } from "./failure.js";
import type { EngineHost } from "./host.js";
import { Runs } from "./runs/runs.js";
import { Turns } from "./turns.js";

/** What is behind the pages: one device, what is open, and runs. It takes commands, answers each, and tells events. */
export class Engine {
  private readonly context: CommandContext;
  private opened: Promise<Device> | undefined;
  private current: Device | undefined;

  constructor(host: EngineHost) {
    const log = new EventLog((event) => host.emit(event));
    const turns = new Turns();
    const documents = new Documents(host.tinyHome);
    const examples = new EncodedExamples();
    const device = (): Promise<Device> => (this.opened ??= host.openDevice().then((one) => (this.current = one)));
    const runs = new Runs({
      store: host.store,
      log,
      turns,
      open: async (source) => {
        const here = await device();
        return { device: here, ...(await documents.of(source, here)) };
      },
      encode: (data, model, settings) => examples.of(data, model, settings),
      usedBytes: () => (this.current ? usedBytes(this.current) : 0),
    });
    this.context = { host, log, turns, documents, examples, runs, files: new Map(), device };
  }

  /** Takes a file that a later command names by its id. */
  put(id: string, file: Blob): void {
    this.context.files.set(id, file);
  }

  /** Answers a message, whatever it is. It never rejects. */
  async handle(message: unknown): Promise<Reply> {
    const read = v.safeParse(COMMAND, message);
    if (!read.success) {
      const [issue] = read.issues;
      const error = { kind: "protocol", message: `${v.getDotPath(issue) ?? "message"}: ${issue.message}`, hint: "reload the page" };
      return { v: 1, id: idOf(message), error };
    }
    const { id, type } = read.output;
    try {
      const handler = HANDLERS[type] as (command: Command, context: CommandContext) => Promise<Answer<CommandType>> | Answer<CommandType>;
      return { v: 1, id, ok: v.parse(ANSWERS[type], await handler(read.output, this.context)) };
    } catch (error) {
      return { v: 1, id, error: failureOf(error) };
    }
  }

  /** Pauses what is under way; resolves when where it stands is saved. */
  rest(): Promise<void> {
    return this.context.runs.rest();
  }
}

/** The id of a message that is no command, if it has one. */
function idOf(message: unknown): string {
  const { id } = (message ?? {}) as { readonly id?: unknown };
  return typeof id === "string" && /^[\w-]{1,64}$/.test(id) ? id : "none";
}
