const KEY = "weft:token";

/** Whether this page came from `weft studio`, whose engine is behind it. */
export const isServed = (): boolean => document.querySelector('meta[name="weft-engine"]') !== null;

/** The token of the link that opened this page, or of this tab before a reload; it leaves the address. Undefined where a link has none. */
export function takeToken(): string | undefined {
  const given = /^#token=([\w-]{43})$/.exec(location.hash)?.[1];
  if (given !== undefined) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(KEY) ?? undefined;
}
