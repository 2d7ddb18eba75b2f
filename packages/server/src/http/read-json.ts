import type { IncomingMessage } from "node:http";
import { parseStrictJson, plainJson } from "@weft/io-safetensors";
import { CancelledError, WeftError } from "@weft/tensor-core";
import type { Settings } from "../options.js";
import { ApiError } from "./api-error.js";

/** For how long a body that nobody wants is read on, so that its sender sees the answer. */
const DISCARD = 1000;

/** The body of a request. @throws ApiError 400, 408, 413, 415; CancelledError if the client has gone */
export async function readJson(
  request: IncomingMessage,
  { maxBodyBytes, bodyTimeout }: Pick<Settings, "maxBodyBytes" | "bodyTimeout">,
): Promise<unknown> {
  const type = request.headers["content-type"]?.split(";")[0]!.trim().toLowerCase();
  if (type !== "application/json")
    throw new ApiError(415, `the body is ${type ?? "of no type"}, expected application/json`, { code: "unsupported_media_type" });
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity")
    throw new ApiError(415, `bodies in ${JSON.stringify(encoding)} are not read`, { code: "unsupported_media_type" });
  const bytes = await readBody(request, maxBodyBytes, bodyTimeout);
  if (bytes === undefined) {
    await discard(request);
    throw new ApiError(413, `the body has more than ${maxBodyBytes} bytes`, { code: "body_too_large", headers: { connection: "close" } });
  }
  try {
    return plainJson(parseStrictJson(bytes, { maxBytes: maxBodyBytes, file: "the body" }));
  } catch (error) {
    throw error instanceof WeftError ? new ApiError(400, error.message, { code: "invalid_json" }) : error;
  }
}

/** Undefined for one that is too large. */
function readBody(request: IncomingMessage, limit: number, timeout: number): Promise<Buffer | undefined> {
  if (Number(request.headers["content-length"] ?? 0) > limit) return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let length = 0;
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      request.off("data", take).off("end", whole).off("close", gone);
      settle();
    };
    const take = (part: Buffer): void => {
      length += part.length;
      if (length > limit) end(() => resolve(undefined));
      else parts.push(part);
    };
    const whole = (): void => end(() => resolve(Buffer.concat(parts)));
    const gone = (): void => end(() => reject(new CancelledError()));
    const late = (): void =>
      end(() => {
        const headers = { connection: "close" };
        reject(new ApiError(408, `the body did not arrive within ${timeout} ms`, { code: "body_timeout", headers }));
      });
    // What has arrived while this process was busy is read first.
    const timer = setTimeout(() => setImmediate(late), timeout);
    request.on("data", take).on("end", whole).on("close", gone);
  });
}

function discard(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, DISCARD);
    for (const event of ["end", "close"])
      request.once(event, () => {
        clearTimeout(timer);
        resolve();
      });
    request.resume();
  });
}
