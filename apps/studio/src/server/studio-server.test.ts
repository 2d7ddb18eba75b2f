import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request, type OutgoingHttpHeaders } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { EngineEvent } from "../protocol/events.js";
import { StudioServer } from "./studio-server.js";

const app = mkdtempSync(join(tmpdir(), "weft-studio-app-"));
let tell: (event: EngineEvent) => void;
const asked: unknown[] = [];
const put = new Map<string, Uint8Array>();
let server: StudioServer;
let port: number;
let token: string;

beforeAll(async () => {
  writeFileSync(join(app, "index.html"), "<!doctype html><head></head>");
  writeFileSync(join(app, "sw.js"), "0");
  server = new StudioServer({
    engine: {
      handle: async (command) => (asked.push(command), { v: 1, id: "a", ok: {} }),
      put: (id, bytes) => void put.set(id, bytes),
      onEvent: (listener) => (tell = listener),
      close: async () => undefined,
    },
    app,
    patience: 400,
  });
  const listening = await server.listen(0);
  port = listening.port;
  token = /#token=([\w-]{43})$/.exec(listening.link)![1]!;
});
afterAll(async () => {
  await server.close();
  rmSync(app, { recursive: true });
});

interface Asked {
  readonly method?: string;
  readonly path?: string;
  /** What of a page's own request is another. Undefined leaves a header out. */
  readonly headers?: { readonly [name: string]: string | undefined };
  readonly body?: string;
}
interface Answered {
  readonly status: number;
  readonly headers: { readonly [name: string]: unknown };
  readonly body: string;
}

/** A command of the page, but for what is said otherwise. */
function ask({ method = "POST", path = "/api/command", headers = {}, body = "{}" }: Asked = {}): Promise<Answered> {
  const own = {
    host: `127.0.0.1:${port}`,
    origin: `http://127.0.0.1:${port}`,
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
    "sec-fetch-site": "same-origin",
  };
  const all = Object.fromEntries(Object.entries({ ...own, ...headers }).filter(([, value]) => value !== undefined));
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, method, path, headers: all as OutgoingHttpHeaders, setHost: false }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(parts).toString() }));
    });
    sent.on("error", reject);
    sent.end(method === "POST" || method === "PUT" ? body : undefined);
  });
}

test("the page's own command reaches the engine, whose events reach the page", async () => {
  expect(await ask({ body: '{"x":1}' })).toMatchObject({ status: 200, body: '{"v":1,"id":"a","ok":{}}' });
  expect(asked).toEqual([{ x: 1 }]);
  const event = { v: 1, seq: 1, run: null, type: "notice", kind: "k", message: "m" } as const;
  tell(event);
  const stream = await fetch(`http://127.0.0.1:${port}/api/events?since=0`, { headers: { authorization: `Bearer ${token}` } });
  const reader = stream.body!.getReader();
  expect(new TextDecoder().decode((await reader.read()).value)).toBe(`\n${JSON.stringify(event)}\n`);
  await reader.cancel();
  const page = await ask({ method: "GET", path: "/", headers: { authorization: undefined } });
  expect(page.body).toContain('<meta name="weft-engine" content="server">');
  expect(page.headers["content-security-policy"]).toContain("default-src 'none'");
});

const strangers: readonly (readonly [string, number, Asked])[] = [
  ["no host", 400, { headers: { host: undefined } }],
  ["a name of the attacker's that leads here", 403, { headers: { host: "evil.example" } }],
  ["such a name with our port", 403, { headers: { host: "evil.example:PORT" } }],
  ["another port", 403, { headers: { host: "127.0.0.1:1" } }],
  ["a name that begins as ours", 403, { headers: { host: "127.0.0.1.evil.example:PORT" } }],
  ["a name that ends as ours", 403, { headers: { host: "evil.localhost:PORT" } }],
  ["another address of this machine", 403, { headers: { host: "127.0.0.2:PORT" } }],
  ["an address in another spelling", 403, { headers: { host: "2130706433:PORT" } }],
  ["every address", 403, { headers: { host: "0.0.0.0:PORT" } }],
  ["no origin", 403, { headers: { origin: undefined } }],
  ["a page of another site", 403, { headers: { origin: "https://evil.example" } }],
  ["a page of another port", 403, { headers: { origin: "http://127.0.0.1:1" } }],
  ["a page by https", 403, { headers: { origin: "https://127.0.0.1:PORT" } }],
  ["a page without an origin of its own", 403, { headers: { origin: "null" } }],
  ["an origin with a path", 403, { headers: { origin: "http://127.0.0.1:PORT/" } }],
  ["an empty origin", 403, { headers: { origin: "" } }],
  ["a request of another site", 403, { headers: { "sec-fetch-site": "cross-site" } }],
  ["a request of a sister site", 403, { headers: { "sec-fetch-site": "same-site" } }],
  ["no token", 401, { headers: { authorization: undefined } }],
  ["an empty token", 401, { headers: { authorization: "Bearer " } }],
  ["a wrong token", 401, { headers: { authorization: `Bearer ${"A".repeat(43)}` } }],
  ["the token under another scheme", 401, { headers: { authorization: "Basic TOKEN" } }],
  ["the token with more behind it", 401, { headers: { authorization: "Bearer TOKENx" } }],
  ["the token in the address", 401, { path: "/api/command?token=TOKEN", headers: { authorization: undefined } }],
  ["the token in a cookie", 401, { headers: { authorization: undefined, cookie: "token=TOKEN" } }],
  ["events without a token", 401, { method: "GET", path: "/api/events", headers: { authorization: undefined } }],
  ["a preflight", 403, { method: "OPTIONS" }],
  ["a command by GET", 405, { method: "GET" }],
  ["a command by PUT", 405, { method: "PUT" }],
  ["events by POST", 405, { path: "/api/events" }],
  ["events since what is no number", 400, { method: "GET", path: "/api/events?since=-1" }],
  ["a method that there is none", 405, { method: "DELETE", path: "/index.html" }],
  ["another path of the interface", 404, { path: "/api/nothing" }],
  ["a file above the build", 404, { method: "GET", path: "/../../../etc/passwd" }],
  ["a file above the build, encoded", 404, { method: "GET", path: "/%2e%2e/%2e%2e/etc/passwd" }],
  ["a file above the build, with backslashes", 404, { method: "GET", path: "/..\\..\\etc\\passwd" }],
  ["an absolute path", 404, { method: "GET", path: "//etc/passwd" }],
  ["a whole URL in place of a path", 404, { method: "GET", path: "http://evil.example/etc/passwd" }],
  ["a body that is a form's", 415, { headers: { "content-type": "text/plain" } }],
  ["a body of no type", 415, { headers: { "content-type": undefined } }],
  ["a body that is packed", 415, { headers: { "content-encoding": "gzip" } }],
  ["a body that is cut", 400, { body: '{"a":' }],
  ["a body that is deep", 400, { body: "[".repeat(10_000) + "]".repeat(10_000) }],
  ["a body with a key twice", 400, { body: '{"a":1,"a":2}' }],
  ["a body above a megabyte", 413, { body: JSON.stringify("x".repeat(2 ** 20)) }],
  ["headers above 16 KiB", 431, { headers: { "x-long": "x".repeat(17_000) } }],
];

test.each(strangers)("is refused: %s", async (_name, status, { headers = {}, ...rest }) => {
  const before = asked.length;
  const filled = (text: string | undefined): string | undefined => text?.replace("PORT", String(port)).replace("TOKEN", token);
  const own = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, filled(value)]));
  const answer = await ask({ ...rest, ...(rest.path && { path: filled(rest.path)! }), headers: own });
  expect(answer.status).toBe(status);
  expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
  expect(answer.body).not.toContain(token);
  expect(asked.length).toBe(before);
});

test("who is slow with headers or a body is cut, and a fifth stream is refused", async () => {
  const slow = (head: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => socket.write(head));
      let text = "";
      socket.on("data", (part) => (text += part));
      socket.on("close", () => resolve(text));
      socket.on("error", reject);
    });
  const head = `POST /api/command HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nOrigin: http://127.0.0.1:${port}\r\nAuthorization: Bearer ${token}\r\n`;
  const [headers, body] = await Promise.all([slow(head), slow(`${head}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{`)]);
  expect([headers, body].map((text) => text.split("\r\n")[0])).toEqual(["HTTP/1.1 408 Request Timeout", "HTTP/1.1 408 Request Timeout"]);
  const streams = await Promise.all(
    Array.from({ length: 5 }, () => fetch(`http://127.0.0.1:${port}/api/events`, { headers: { authorization: `Bearer ${token}` } })),
  );
  expect(streams.map(({ status }) => status).toSorted()).toEqual([200, 200, 200, 200, 429]);
  for (const { body: text } of streams) await text?.cancel();
});

test("a file is put under an id, by the page alone", async () => {
  expect(await ask({ method: "PUT", path: "/api/files/a-1", body: "weights" })).toMatchObject({ status: 200 });
  expect(new TextDecoder().decode(put.get("a-1"))).toBe("weights");
  const others: readonly (readonly [Asked, number])[] = [
    [{ headers: { authorization: "Bearer x" } }, 401],
    [{ headers: { origin: undefined } }, 403],
    [{ method: "GET" }, 405],
    [{ path: "/api/files/../a" }, 404],
    [{ path: "/api/files/a%2Fb" }, 404],
    [{ headers: { "content-length": String(2 ** 29) }, body: "" }, 413],
  ];
  for (const [asked, status] of others)
    expect(await ask({ method: "PUT", path: "/api/files/b", body: "x", ...asked })).toMatchObject({ status });
  expect([...put.keys()]).toEqual(["a-1"]);
});
