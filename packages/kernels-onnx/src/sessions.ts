import { createHash } from "node:crypto";
import type { SessionPort } from "./runtime/protocol.js";
import type { OrtThread } from "./runtime/thread.js";

/** What a session is made of. */
export interface SessionRequest {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly options: object;
  readonly inputs: readonly SessionPort[];
  readonly outputs: readonly SessionPort[];
}

/** A session for one of its users: its number in the thread, and what the user calls at the end. */
export interface SharedSession {
  readonly number: number;
  readonly release: () => void;
}

/** A session in the thread, by its number there. */
interface Session {
  readonly number: number;
  readonly opened: Promise<unknown>;
  users: number;
}

/** Sessions so far: their numbers in the threads. */
let count = 0;

/** The sessions of a thread: plans that come out as the same model, as those of one function for two values of an option, share one. */
export class Sessions {
  private readonly sessions = new Map<string, Session>();
  private readonly thread: OrtThread;

  constructor(thread: OrtThread) {
    this.thread = thread;
  }

  /** A session for one user more. @throws Error with the runtime's message */
  async take(request: SessionRequest): Promise<SharedSession> {
    const key = createHash("sha256").update(request.model).update(JSON.stringify(request.options)).digest("hex");
    let session = this.sessions.get(key);
    if (!session) this.sessions.set(key, (session = this.open(request)));
    session.users++;
    const { number, opened } = session;
    try {
      await opened;
    } catch (error) {
      this.sessions.delete(key);
      throw error;
    }
    const release = (): void => {
      if (--session.users > 0) return;
      this.sessions.delete(key);
      this.thread.release({ do: "close", session: number });
    };
    return { number, release };
  }

  private open(request: SessionRequest): Session {
    const number = ++count;
    const opened = (async () => this.thread.call({ do: "open", session: number, ...request }, [request.model.buffer]))();
    return { number, opened, users: 0 };
  }
}
