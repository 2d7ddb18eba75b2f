import type { ServerResponse } from "node:http";
import { CancelledError } from "@weft/tensor-core";

const HEADERS = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

/** How an answer is sent. */
export interface Sending {
  readonly status?: number;
  readonly type?: string;
  readonly headers?: { readonly [name: string]: string };
  /** In ms; a client that reads nothing for longer is cut. */
  readonly stallTimeout: number;
}

/** Sends a whole answer: a text, or what is to be JSON. */
export function respond(response: ServerResponse, body: string | object, { status = 200, type, headers, stallTimeout }: Sending): void {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const length = Buffer.byteLength(text);
  response.writeHead(status, { ...HEADERS, "content-type": type ?? "application/json", "content-length": length, ...headers });
  response.end(text);
  cutIfUnread(response, stallTimeout);
}

/** Server-sent events, as fast as their reader takes them: what waits for a slow one is the socket's buffer. */
export class EventStream {
  private readonly response: ServerResponse;
  private readonly stallTimeout: number;
  private draining: Promise<void> | undefined;

  constructor(response: ServerResponse, stallTimeout: number) {
    this.response = response;
    this.stallTimeout = stallTimeout;
    response.writeHead(200, { ...HEADERS, "content-type": "text/event-stream; charset=utf-8" });
  }

  /** Resolves when more may come. @throws CancelledError if the reader has gone, or was cut because it read nothing for too long */
  async send(data: object | string): Promise<void> {
    if (this.draining) await this.draining;
    if (this.response.destroyed) throw new CancelledError();
    const text = `data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;
    if (!this.response.write(text)) await (this.draining ??= this.drain());
  }

  end(): void {
    if (this.response.destroyed) return;
    this.response.end("data: [DONE]\n\n");
    cutIfUnread(this.response, this.stallTimeout);
  }

  /** Ends with an error in place of what was to come. */
  fail(error: object): void {
    if (this.response.destroyed) return;
    this.response.end(`data: ${JSON.stringify(error)}\n\n`);
    cutIfUnread(this.response, this.stallTimeout);
  }

  private drain(): Promise<void> {
    const { response } = this;
    return new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => response.destroy(), this.stallTimeout);
      const settle = (then: () => void): void => {
        clearTimeout(timer);
        response.off("drain", drained).off("close", gone);
        this.draining = undefined;
        then();
      };
      const drained = (): void => settle(resolve);
      const gone = (): void => settle(() => reject(new CancelledError()));
      response.on("drain", drained).on("close", gone);
    });
  }
}

function cutIfUnread(response: ServerResponse, stallTimeout: number): void {
  const timer = setTimeout(() => response.destroy(), stallTimeout);
  response.once("close", () => clearTimeout(timer));
}
