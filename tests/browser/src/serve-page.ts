import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Answer } from "./page.js";

const PEFT = join(import.meta.dirname, "../../../fixtures/peft");
const TYPES: Readonly<Record<string, string>> = { js: "text/javascript", json: "application/json", html: "text/html" };

/** @typeParam A what pages answer */
export interface PageServer<A = Answer> {
  readonly origin: string;
  /** What the page that is loaded next answers. */
  next(): Promise<A>;
  /** Sets how pages are sent: headers of every answer, and code that runs before weft's. */
  use(deployment: {
    readonly headers?: Record<string, string>;
    readonly before?: string;
    readonly inWorker?: boolean;
    readonly ranges?: boolean;
  }): void;
  close(): Promise<void>;
}

/** A site with the page, a model and an adapter; every page posts its answer back. */
export async function servePage<A = Answer>(script: string): Promise<PageServer<A>> {
  let deployment: Parameters<PageServer["use"]>[0] = {};
  let answered: (answer: A) => void = () => undefined;
  const bodies = (path: string): Uint8Array | undefined => {
    const { before = "", inWorker = false } = deployment;
    if (path === "/")
      return Buffer.from(`<!doctype html><script src="${inWorker ? "start-worker.js" : "page.js"}" type="module"></script>`);
    if (path === "/start-worker.js") return Buffer.from(`new Worker("page.js", { type: "module" });`);
    if (path === "/page.js") return Buffer.from(`${before}\n${script}`);
    const [, folder, name] = /^\/(base|adapter)\/([\w.-]+)$/.exec(path) ?? [];
    return folder === undefined ? undefined : readFileSync(join(PEFT, folder === "base" ? "llama_base" : "llama_lora", name!));
  };
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    if (request.method === "POST") {
      const pieces: Buffer[] = [];
      request.on("data", (piece: Buffer) => pieces.push(piece));
      request.on("end", () => {
        response.writeHead(204).end();
        answered(JSON.parse(Buffer.concat(pieces).toString()) as A);
      });
      return;
    }
    const body = bodies(request.url!);
    if (!body) return void response.writeHead(404).end();
    const type = request.url === "/" ? "html" : request.url!.split(".").at(-1)!;
    const headers = { "Content-Type": TYPES[type] ?? "application/octet-stream", ...deployment.headers };
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "")?.map(Number) ?? [];
    if (from === undefined || deployment.ranges === false) return void response.writeHead(200, headers).end(body);
    const piece = body.subarray(from, to! + 1);
    response.writeHead(206, { ...headers, "Content-Range": `bytes ${from}-${from + piece.byteLength - 1}/${body.byteLength}` }).end(piece);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    next: () => new Promise((resolve) => (answered = resolve)),
    use: (next) => void (deployment = next),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
