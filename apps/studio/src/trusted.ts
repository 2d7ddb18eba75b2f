/** What `require-trusted-types-for 'script'` asks for; not yet in TypeScript's DOM. */
interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
}

/** Scripts that may become workers: those of this build, on this origin. */
function allowed(url: string): string {
  const { origin, pathname } = new URL(url, location.href);
  if (origin === location.origin && /\/(?:sw|assets\/[\w.-]+)\.js$/.test(pathname)) return url;
  throw new TypeError(`${url} is no script of the studio`);
}

const types = (globalThis as { readonly trustedTypes?: TrustedTypes }).trustedTypes;
const policy = types?.createPolicy("weft", { createScriptURL: allowed }) ?? { createScriptURL: allowed };

/** The URL of a worker's script, if it is one of ours. @throws TypeError for any other */
export const workerUrl = (url: string): string => policy.createScriptURL(url);
