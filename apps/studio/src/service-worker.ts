import { workerUrl } from "./trusted.js";

const RELOADED = "weft:isolating";

/** Where the service worker lies: beside the page. */
const scriptUrl = (): string => new URL("sw.js", document.baseURI).href;

/** Resolves when a service worker sets the headers of this page's requests; at once where a browser has none. */
async function controlled(): Promise<void> {
  const { serviceWorker } = navigator as { readonly serviceWorker?: ServiceWorkerContainer };
  if (!serviceWorker) return;
  await serviceWorker.register(workerUrl(scriptUrl()));
  if (serviceWorker.controller) return;
  await new Promise<void>((resolve) => serviceWorker.addEventListener("controllerchange", () => resolve(), { once: true }));
}

/** Loads the page again under the service worker, whose headers isolate it. */
export function reloadIsolated(): void {
  sessionStorage.setItem(RELOADED, "1");
  location.reload();
}

/**
 * Waits until the policy binds workers too, which a page's own does not. A page that its server does not isolate is loaded again, once.
 * @returns false if the page is about to be loaded again
 */
export async function guarded(): Promise<boolean> {
  await controlled();
  if (crossOriginIsolated) {
    sessionStorage.removeItem(RELOADED);
    return true;
  }
  if (sessionStorage.getItem(RELOADED) !== null) return true;
  reloadIsolated();
  return false;
}
