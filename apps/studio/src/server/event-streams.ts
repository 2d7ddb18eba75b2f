import type { ServerResponse } from "node:http";
import { ApiError } from "@weft/server/http";
import type { EngineEvent } from "../protocol/events.js";

/** Streams at once: of a few tabs. */
const MOST_STREAMS = 4;
/** A reader for whom more bytes wait is cut; it comes back with the number of the last event that it has. */
const MOST_WAITING = 16 * 2 ** 20;
/** Between two lines at least so often, in ms: who hears nothing for longer knows that the server is gone. */
const BEAT = 5000;

/** Events of before these are forgotten: pages learn of them by `hello`. */
const KEPT = 20_000;

/** Pages that hear events as they come, a line of JSON each; an empty line says that the server is there. */
export class EventStreams {
  private readonly open = new Set<ServerResponse>();
  private readonly kept: EngineEvent[] = [];
  private readonly timer = setInterval(() => this.write("\n"), BEAT).unref();

  /** Begins a stream with what its reader has missed since an event. @throws ApiError 429 */
  begin(response: ServerResponse, since: number, headers: { readonly [name: string]: string }): void {
    if (this.open.size >= MOST_STREAMS)
      throw new ApiError(429, `${MOST_STREAMS} pages are watching already`, { code: "too_many_streams", headers: { "retry-after": "5" } });
    response.writeHead(200, { ...headers, "content-type": "application/x-ndjson", "cache-control": "no-store" });
    const missed = this.kept.filter(({ seq }) => seq > since);
    response.write(`\n${missed.map((event) => `${JSON.stringify(event)}\n`).join("")}`);
    this.open.add(response);
    response.once("close", () => this.open.delete(response));
  }

  send(event: EngineEvent): void {
    // The engine tells some again to one that joins; who has them skips them.
    if (event.seq > (this.kept.at(-1)?.seq ?? 0)) this.kept.push(event);
    if (this.kept.length > KEPT) this.kept.shift();
    if (this.open.size > 0) this.write(`${JSON.stringify(event)}\n`);
  }

  close(): void {
    clearInterval(this.timer);
    for (const response of this.open) response.end();
  }

  private write(line: string): void {
    for (const response of this.open) {
      if (response.writableLength > MOST_WAITING) response.destroy();
      else response.write(line);
    }
  }
}
