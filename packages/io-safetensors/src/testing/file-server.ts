import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a server is told to do with a request: answer as usual, or as it likes. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => boolean | void;

export interface FileServer {
  readonly origin: string;
  /** `METHOD path range` of every request, in order. */
  readonly log: string[];
  /** Headers of every request. */
  readonly headers: IncomingMessage["headers"][];
  close(): Promise<void>;
}

/** Serves files with ranges, as web servers do; `answer` may take over by returning true. */
export async function serveFiles(files: ReadonlyMap<string, Uint8Array>, answer: Answer = () => false): Promise<FileServer> {
  const log: string[] = [];
  const headers: IncomingMessage["headers"][] = [];
  const server = createServer((request, response) => {
    log.push(`${request.method} ${request.url} ${request.headers.range}`);
    headers.push(request.headers);
    if (answer(request, response)) return;
    const file = files.get(request.url!);
    if (!file) return void response.writeHead(404).end("no such file");
    sendRange(request, response, file);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    log,
    headers,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Answers 206 with the bytes that were asked for, or 416. */
export function sendRange(
  request: IncomingMessage,
  response: ServerResponse,
  file: Uint8Array,
  headers: Record<string, string> = {},
): void {
  const [, begin, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "")!.map(Number);
  if (begin! >= file.byteLength) return void response.writeHead(416, { "Content-Range": `bytes */${file.byteLength}` }).end();
  const piece = file.subarray(begin, end! + 1);
  response.writeHead(206, { "Content-Range": `bytes ${begin}-${begin! + piece.byteLength - 1}/${file.byteLength}`, ...headers }).end(piece);
}
