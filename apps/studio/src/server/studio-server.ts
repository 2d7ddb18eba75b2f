import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ApiError, apiErrorOf, assertOwnHost, assertToken, readJson, respond } from "@weft/server/http";
import { HEADERS } from "../../headers.mjs";
import { type AppFile, appFiles } from "../../serve.mjs";
import type { EngineLink } from "./engine-thread.js";
import { EventStreams } from "./event-streams.js";

const HOST = "127.0.0.1";
const MOST_BODY_BYTES = 2 ** 20;
const MOST_FILE_BYTES = 256 * 2 ** 20;
const MOST_HEADER_BYTES = 16 * 1024;
/** Requests under way at once, without streams. */
const MOST_REQUESTS = 32;
/** How long a reader may leave an answer unread, in ms. */
const STALL_TIMEOUT = 30_000;
const FILE = /^\/api\/files\/([\w-]{1,64})$/;
/** Tells the page that its engine is here, and not in a worker of its own. */
const MARK = '<meta name="weft-engine" content="server">';

/** What a server is made of. */
export interface StudioServerOptions {
  /** It goes on when all pages are gone, and stays the caller's. */
  readonly engine: EngineLink;
  /** Folder of the built app. */
  readonly app: string;
  /** Hears of failures that are no client's. */
  readonly onError?: (error: unknown) => void;
  /** How long a client may take for its headers, and for its body, in ms. */
  readonly patience?: number;
}

/**
 * The studio's page and its engine on loopback: `POST /api/command`, `PUT /api/files/ID`, `GET /api/events?since=N`. It is reached from this machine only, by its own page only, and with
 * the token of the link only, which is another one at each start.
 */
export class StudioServer {
  private readonly engine: EngineLink;
  private readonly token = randomBytes(32).toString("base64url");
  private readonly files: ReadonlyMap<string, AppFile>;
  private readonly streams = new EventStreams();
  private readonly http: Server;
  private readonly onError: (error: unknown) => void;
  private readonly patience: number;
  private underWay = 0;

  constructor({ engine, app, onError = () => undefined, patience = 10_000 }: StudioServerOptions) {
    this.onError = onError;
    this.patience = patience;
    this.engine = engine;
    engine.onEvent((event) => this.streams.send(event));
    this.files = withMark(appFiles(app));
    this.http = createServer(
      {
        maxHeaderSize: MOST_HEADER_BYTES,
        headersTimeout: patience,
        requestTimeout: 2 * patience,
        connectionsCheckingInterval: Math.min(1000, patience / 2),
      },
      (request, response) => void this.serve(request, response),
    );
  }

  /** @param port 0 for any that is free @returns the link that opens the page; its token stands behind `#`, which browsers do not send @throws what the system says of the port */
  async listen(port: number): Promise<{ readonly port: number; readonly link: string }> {
    this.http.listen(port, HOST);
    await once(this.http, "listening");
    const found = (this.http.address() as AddressInfo).port;
    return { port: found, link: `http://${HOST}:${found}/#token=${this.token}` };
  }

  /** Ends streams and connections. */
  async close(): Promise<void> {
    this.streams.close();
    const closed = new Promise((resolve) => this.http.close(resolve));
    this.http.closeAllConnections();
    await closed;
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.underWay++;
    try {
      if (this.underWay > MOST_REQUESTS)
        throw new ApiError(429, "too many requests at once", { code: "too_many_requests", headers: { "retry-after": "1" } });
      await this.route(request, response);
    } catch (error) {
      const told = apiErrorOf(error);
      if (told.status === 500) this.onError(error);
      // A stream that was begun can only end.
      if (response.headersSent) response.destroy();
      else respond(response, told, { status: told.status, headers: { ...HEADERS, ...told.details.headers }, stallTimeout: STALL_TIMEOUT });
    } finally {
      this.underWay--;
    }
  }

  private async route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = "/" } = request;
    assertOwnHost(request, HOST, { allowedHosts: [] });
    // No other page has a right to ask, so none has one to ask whether it may.
    if (method === "OPTIONS") throw new ApiError(403, "requests of other sites are not taken", { code: "origin_not_allowed" });
    if (!URL.canParse(url, `http://${HOST}`)) throw new ApiError(400, "the path is none", { code: "bad_path" });
    const { pathname, searchParams } = new URL(url, `http://${HOST}`);
    if (!pathname.startsWith("/api/")) return this.file(pathname, request, response);
    assertToken(request, { token: this.token });
    if (pathname === "/api/command") {
      if (method !== "POST") throw wrongMethod("POST");
      if (request.headers.origin === undefined) throw new ApiError(403, "a command without an origin", { code: "origin_not_allowed" });
      const reply = await this.engine.handle(await readJson(request, { maxBodyBytes: MOST_BODY_BYTES, bodyTimeout: this.patience }));
      return respond(response, reply, { headers: HEADERS, stallTimeout: STALL_TIMEOUT });
    }
    const file = FILE.exec(pathname)?.[1];
    if (file !== undefined) {
      if (method !== "PUT") throw wrongMethod("PUT");
      if (request.headers.origin === undefined) throw new ApiError(403, "a file without an origin", { code: "origin_not_allowed" });
      this.engine.put(file, await readUpload(request));
      return respond(response, {}, { headers: HEADERS, stallTimeout: STALL_TIMEOUT });
    }
    if (pathname !== "/api/events") throw new ApiError(404, "there is nothing here", { code: "not_found" });
    if (method !== "GET") throw wrongMethod("GET");
    const since = Number(searchParams.get("since") ?? 0);
    if (!Number.isSafeInteger(since) || since < 0) throw new ApiError(400, "since: expected the number of an event", { param: "since" });
    this.streams.begin(response, since, HEADERS);
  }

  /** A file of the build; nothing else is there, whatever a path names. */
  private file(pathname: string, { method }: IncomingMessage, response: ServerResponse): void {
    if (method !== "GET" && method !== "HEAD") throw wrongMethod("GET");
    const file = this.files.get(pathname === "/" ? "/index.html" : pathname);
    if (!file) throw new ApiError(404, "there is nothing here", { code: "not_found" });
    response.writeHead(200, {
      ...HEADERS,
      "content-type": file.type,
      "content-length": file.body.length,
      "cache-control": "no-cache",
    });
    response.end(method === "HEAD" ? undefined : file.body);
  }
}

const wrongMethod = (allow: string): ApiError => new ApiError(405, `expected ${allow}`, { code: "method_not_allowed", headers: { allow } });

/** The bytes of a file that is sent. @throws ApiError 413 for one that is too large */
async function readUpload(request: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = (): ApiError =>
    new ApiError(413, `a file has ${MOST_FILE_BYTES / 2 ** 20} MiB at most: open larger ones in the page of a static host`, {
      code: "too_large",
    });
  if (Number(request.headers["content-length"] ?? 0) > MOST_FILE_BYTES) throw tooLarge();
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MOST_FILE_BYTES) throw tooLarge();
    parts.push(part);
  }
  return new Uint8Array(Buffer.concat(parts));
}

/** The app's files, its page with the mark. */
function withMark(files: ReadonlyMap<string, AppFile>): ReadonlyMap<string, AppFile> {
  const page = files.get("/index.html");
  if (!page) throw new Error("the built studio has no index.html");
  const body = Buffer.from(page.body.toString("utf8").replace("<head>", `<head>${MARK}`));
  return new Map([...files, ["/index.html", { ...page, body }]]);
}
