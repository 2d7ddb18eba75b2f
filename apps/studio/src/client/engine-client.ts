import * as v from "valibot";
import { type Answer, ANSWERS, COMMAND, type CommandBody, type CommandType, MESSAGE, type Reply } from "../protocol/commands.js";
import type { EngineEvent } from "../protocol/events.js";
import type { Failure } from "../protocol/values.js";
import type { Transport } from "./transport.js";

/** A command that was refused, or failed. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

interface Waiting {
  readonly type: CommandType;
  readonly settle: (reply: Reply) => void;
}

/** The page's end of the protocol: sends commands, checks what comes back. */
export class EngineClient {
  private readonly transport: Transport;
  private readonly waiting = new Map<string, Waiting>();
  /** Of this tab: answers to others are heard, too. */
  private readonly name = crypto.randomUUID().slice(0, 8);
  private sent = 0;

  /** @param onEvent takes events in their order @param onFailure told when the engine itself is gone @param onGone as of a transport */
  constructor(
    transport: Transport,
    onEvent: (event: EngineEvent) => void,
    onFailure: (failure: Failure) => void,
    onGone: (seconds: number | undefined) => void,
  ) {
    this.transport = transport;
    transport.listen(
      (data) => {
        const read = v.safeParse(MESSAGE, data);
        if (!read.success) return onFailure({ kind: "protocol", message: `the engine sent what is no message: ${read.issues[0].message}` });
        if ("event" in read.output) return onEvent(read.output.event);
        const { reply } = read.output;
        this.waiting.get(reply.id)?.settle(reply);
        this.waiting.delete(reply.id);
      },
      (message) => onFailure({ kind: "engine", message, hint: "reload the page" }),
      onGone,
    );
  }

  /** Hands a file over. @returns the id that commands name it by @throws EngineError if it does not arrive */
  async put(file: Blob): Promise<string> {
    const id = `${this.name}-${++this.sent}`;
    await this.transport.put(id, file);
    return id;
  }

  /** @throws EngineError with what the engine says */
  async send<T extends CommandType>(type: T, body: CommandBody<T>): Promise<Answer<T>> {
    const id = `${this.name}-${++this.sent}`;
    const command = v.parse(COMMAND, { v: 1, id, type, ...body });
    const reply = await new Promise<Reply>((settle) => {
      this.waiting.set(id, { type, settle });
      this.transport.send(command);
    });
    if ("error" in reply) throw new EngineError(reply.error);
    return v.parse(ANSWERS[type], reply.ok) as Answer<T>;
  }
}
