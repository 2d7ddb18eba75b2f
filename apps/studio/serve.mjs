// Serves the built app on loopback, with its headers: for `npm run studio` and for tests. Only files of the build are there, whatever a request names.
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, relative, sep } from "node:path";
import { HEADERS } from "./headers.mjs";

const APP = join(import.meta.dirname, "dist/app");
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".json": "application/json",
  ".txt": "text/plain; charset=utf-8",
};

/** Files of the build by their paths in URLs. */
export function appFiles(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      const type = TYPES[extname(name)] ?? "application/octet-stream";
      return [`/${relative(folder, path).split(sep).join("/")}`, { body: readFileSync(path), type }];
    }),
  );
}

/**
 * @param options `port`: 0 for any that is free; `headers`: false as on a static host that sets none
 * @returns the URL of the app, and what ends the server
 */
export async function serveApp({ port = 0, headers = true } = {}) {
  const files = appFiles(APP);
  const server = createServer(({ method, url, headers: sent }, response) => {
    const own = headers ? HEADERS : {};
    const refuse = (status) => void response.writeHead(status, { ...own, "Content-Type": "text/plain" }).end();
    const { port: listening } = server.address();
    // Other names may have been made to lead here (DNS rebinding).
    if (![`127.0.0.1:${listening}`, `localhost:${listening}`].includes(sent.host)) return refuse(403);
    if (method !== "GET" && method !== "HEAD") return refuse(405);
    const { pathname } = new URL(url, "http://127.0.0.1");
    const file = files.get(pathname === "/" ? "/index.html" : pathname);
    if (!file) return refuse(404);
    response.writeHead(200, { ...own, "Content-Type": file.type, "Content-Length": file.body.length, "Cache-Control": "no-cache" });
    response.end(method === "HEAD" ? undefined : file.body);
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
