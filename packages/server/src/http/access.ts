import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import type { Settings } from "../options.js";
import { ApiError } from "./api-error.js";

const LOOPBACK = ["127.0.0.1", "localhost", "::1"];

/** Whether a server that listens on this address is reached from this machine only. */
export const isLoopback = (host: string): boolean => LOOPBACK.includes(host);

/**
 * Refuses requests that a web page of another site may have made: loopback alone keeps none away, as a name of the attacker's may be made to lead there (DNS rebinding).
 * @param host what the server listens on
 * @throws ApiError 403
 */
export function assertOwnHost({ headers, socket }: IncomingMessage, host: string, { allowedHosts }: Pick<Settings, "allowedHosts">): void {
  const name = headers.host;
  if (
    name === undefined ||
    !(allowedHosts.includes(name) || isOwn(name, host, socket.localPort) || allowedHosts.includes(hostnameOf(name)))
  )
    throw new ApiError(403, `the server is not called ${JSON.stringify(name ?? "")}`, { code: "host_not_allowed" });
  const { origin } = headers;
  if (origin !== undefined && origin !== `http://${name}`)
    throw new ApiError(403, `requests of ${JSON.stringify(origin)} are not taken`, { code: "origin_not_allowed" });
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none")
    throw new ApiError(403, "requests of other sites are not taken", { code: "origin_not_allowed" });
}

/** @throws ApiError 401 */
export function assertToken({ headers }: IncomingMessage, { token }: Pick<Settings, "token">): void {
  if (token === undefined) return;
  const given = /^Bearer (.+)$/i.exec(headers.authorization ?? "")?.[1];
  if (given !== undefined && timingSafeEqual(digest(given), digest(token))) return;
  throw new ApiError(401, given === undefined ? "no token: send Authorization: Bearer TOKEN" : "the token is wrong", {
    code: "invalid_api_key",
    headers: { "www-authenticate": "Bearer" },
  });
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

const hostnameOf = (host: string): string => host.replace(/:\d+$/, "");

/** Beyond loopback any address does: only names can be made to lead elsewhere. */
function isOwn(name: string, host: string, port: number | undefined): boolean {
  if (isLoopback(host)) return LOOPBACK.some((own) => name === `${own.includes(":") ? `[${own}]` : own}:${port}`);
  const hostname = hostnameOf(name);
  return isIP(hostname.replace(/^\[(.*)\]$/, "$1")) !== 0 || hostname === host;
}
