// The service worker: the whole app by hash, so that it works offline; and the headers that a static host does not set.

/** What this file uses of a service worker's scope. */
interface Scope {
  addEventListener(type: "install" | "activate", listener: (event: { waitUntil(promise: Promise<unknown>): void }) => void): void;
  addEventListener(
    type: "fetch",
    listener: (event: { readonly request: Request; respondWith(answer: Promise<Response>): void }) => void,
  ): void;
  skipWaiting(): Promise<void>;
  readonly clients: { claim(): Promise<void> };
  readonly registration: { readonly scope: string };
}
const scope = self as unknown as Scope;

/** Set by the build: paths of all files, a hash of all, and the headers of every answer. */
declare const FILES: readonly string[];
declare const VERSION: string;
declare const HEADERS: Readonly<Record<string, string>>;

const CACHE = `weft-studio-${VERSION}`;
const home = new URL(scope.registration.scope);

/** An answer with the headers of the app. */
function guarded(response: Response): Response {
  if (response.status === 0) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}

async function answer(request: Request): Promise<Response> {
  const url = new URL(request.url);
  const path = url.href.startsWith(home.href) ? url.pathname.slice(home.pathname.length) : undefined;
  const cached = path === undefined ? undefined : await (await caches.open(CACHE)).match(new URL(path === "" ? "index.html" : path, home));
  return guarded(cached ?? (await fetch(request)));
}

/** Takes all files of this build, and the pages at once. */
async function install(): Promise<void> {
  const cache = await caches.open(CACHE);
  await cache.addAll(FILES.map((path) => new Request(new URL(path, home), { cache: "no-cache" })));
  await scope.skipWaiting();
}

/** Lets go of what builds of before have left. */
async function activate(): Promise<void> {
  for (const name of await caches.keys()) if (name.startsWith("weft-studio-") && name !== CACHE) await caches.delete(name);
  await scope.clients.claim();
}

scope.addEventListener("install", (event) => event.waitUntil(install()));
scope.addEventListener("activate", (event) => event.waitUntil(activate()));
scope.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  const path = new URL(url).pathname.slice(home.pathname.length);
  if (method === "GET" && new URL(url).origin === home.origin && !path.startsWith("api/")) event.respondWith(answer(event.request));
});
