import { CancelledError, WeftError, type WeftErrorKind } from "@weft/tensor-core";

/** What an error object of OpenAI's API says besides its message. */
interface ErrorDetails {
  /** The field of the request that it is about. */
  readonly param?: string;
  readonly code?: string;
  readonly headers?: { readonly [name: string]: string };
}

/** OpenAI's types of errors, by status; the rest are the request's fault. */
const TYPES: { readonly [status: number]: string } = {
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  429: "rate_limit_error",
  500: "server_error",
  503: "server_error",
};

/** An answer that is an error, with its status. */
export class ApiError extends Error {
  readonly status: number;
  readonly details: ErrorDetails;

  constructor(status: number, message: string, details: ErrorDetails = {}) {
    super(message);
    this.status = status;
    this.details = details;
  }

  /** As OpenAI's API writes it. */
  toJSON(): object {
    const { param = null, code = null } = this.details;
    return { error: { message: this.message, type: TYPES[this.status] ?? "invalid_request_error", param, code } };
  }
}

/** Kinds of failures that have a status of their own. */
const STATUS: { readonly [K in WeftErrorKind]?: readonly [status: number, code: string] } = {
  busy: [429, "queue_full"],
  "no-such-adapter": [404, "model_not_found"],
  "context-length": [400, "context_length_exceeded"],
  "chat-template": [400, "chat_template"],
  "non-finite": [500, "non_finite"],
};

/** What those are told who come while the server stops, or are cut off by it. */
export const stopping = (): ApiError =>
  new ApiError(503, "the server is stopping", { code: "stopping", headers: { connection: "close", "retry-after": "10" } });

/** What a client is told of a failure; of those that are not its own, no more than that there was one. */
export function apiErrorOf(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  // Who has gone does not hear it; others are cut off because the server ends.
  if (error instanceof CancelledError) return stopping();
  if (error instanceof WeftError) {
    const told = error.hint === undefined ? error.message : `${error.message}; ${error.hint}`;
    const [status, code] = STATUS[error.kind] ?? (error.code === "config" ? [400, error.kind] : [500, undefined]);
    if (status !== 500) return new ApiError(status, told, { code: code!, ...(status === 429 && { headers: { "retry-after": "1" } }) });
  }
  return new ApiError(500, "the server failed", { code: "internal_error" });
}
