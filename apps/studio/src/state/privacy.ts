import { type Signal, signal } from "@preact/signals";

/** Requests to other places than this page's own since it loaded, those that the browser blocked included. */
export const foreignRequests: Signal<number> = signal(0);

const isForeign = (url: string): boolean => {
  const { protocol, origin } = new URL(url, location.href);
  return /^(https?|wss?):$/.test(protocol) && origin !== location.origin;
};

new PerformanceObserver((list) => {
  const found = list.getEntries().filter(({ name }) => isForeign(name)).length;
  if (found > 0) foreignRequests.value += found;
}).observe({ type: "resource", buffered: true });
