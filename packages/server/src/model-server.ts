import { once, setMaxListeners } from "node:events";
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TextGenerator } from "@weft/generation";
import { ConfigError, WeftError } from "@weft/tensor-core";
import { answer } from "./answers/answer.js";
import { CHAT } from "./answers/chat-format.js";
import { COMPLETION } from "./answers/completion-format.js";
import type { Format } from "./answers/format.js";
import { assertOwnHost, assertToken, isLoopback } from "./http/access.js";
import { ApiError, apiErrorOf, stopping } from "./http/api-error.js";
import { readJson } from "./http/read-json.js";
import { respond } from "./http/respond.js";
import { Metrics } from "./metrics.js";
import { Embeddings } from "./models/embeddings.js";
import { ServedModels } from "./models/served-models.js";
import { type ServerOptions, type Settings, settingsOf } from "./options.js";
import { readChat } from "./requests/read-chat.js";
import { readCompletion } from "./requests/read-completion.js";
import { Fields, string } from "./requests/fields.js";
import { readEmbedding } from "./requests/read-embedding.js";
import type { TextRequest } from "./requests/text-request.js";

/** Where a server listens. */
export interface ListenOptions {
  /** `127.0.0.1` if not given; others need a token. */
  readonly host?: string;
  /** 0, the default, takes a free one. */
  readonly port?: number;
}

/** Where a server was found to listen. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  /** `http://127.0.0.1:8000` */
  readonly url: string;
}

/** A request under way. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Aborted when the client has gone, or the server ends. */
  readonly controller: AbortController;
}

interface Route {
  readonly method: "GET" | "POST";
  readonly isOpen?: boolean;
  readonly handle: (exchange: Exchange) => void | Promise<void>;
}

const MOST_HEADER_BYTES = 16 * 1024;
const MOST_CONNECTIONS = 1024;
/** When a server that stops cuts off what is left, it waits so long, in ms, for the ends to be sent. */
const CUTTING = 1000;
/** A status of nginx's that clients never see. */
const CLIENT_GONE = 499;

/**
 * A server of a generator's model and its adapters with the API of OpenAI: `/v1/models`, `/v1/chat/completions`, `/v1/completions`, `/v1/embeddings`; the field `model` picks
 * the adapter. The generator stays the caller's.
 */
export const createServer = (generator: TextGenerator, options: ServerOptions = {}): ModelServer => new ModelServer(generator, options);

/** @see createServer */
export class ModelServer {
  private readonly generator: TextGenerator;
  private readonly settings: Settings;
  private readonly models: ServedModels;
  private readonly embeddings: Embeddings;
  private readonly metrics = new Metrics();
  private readonly http: Server;
  private readonly routes: ReadonlyMap<string, Route>;
  private readonly started = Math.floor(Date.now() / 1000);
  private readonly underWay = new Set<Exchange>();
  private host = "";
  private stopping: Promise<void> | undefined;
  private idle: (() => void) | undefined;

  constructor(generator: TextGenerator, options: ServerOptions = {}) {
    this.generator = generator;
    this.settings = settingsOf(options);
    this.models = new ServedModels(generator, this.settings);
    this.embeddings = new Embeddings(generator);
    this.routes = this.table();
    const { bodyTimeout } = this.settings;
    this.http = createHttpServer(
      // A body that is too slow is answered by who reads it; the time for all of a request ends those that nobody reads.
      { maxHeaderSize: MOST_HEADER_BYTES, headersTimeout: bodyTimeout, requestTimeout: bodyTimeout * 2, connectionsCheckingInterval: 1000 },
      (request, response) => void this.serve(request, response),
    );
    this.http.maxConnections = MOST_CONNECTIONS;
  }

  /** @throws ConfigError for an address beyond loopback without a token; what the system says of the address */
  async listen({ host = "127.0.0.1", port = 0 }: ListenOptions = {}): Promise<ServerAddress> {
    if (!isLoopback(host) && this.settings.token === undefined)
      throw new ConfigError(`a server on ${host} is reached by others, and has no token`, { hint: "give a token, or listen on 127.0.0.1" });
    this.host = host;
    this.http.listen(port, host);
    await once(this.http, "listening");
    const found = this.http.address() as AddressInfo;
    return { host, port: found.port, url: `http://${host.includes(":") ? `[${host}]` : host}:${found.port}` };
  }

  /**
   * Ends: new requests are answered by 503, those under way may finish within the grace, and are cut off then.
   * @param grace in ms; 30,000 if not given
   */
  stop(grace = 30_000): Promise<void> {
    this.stopping ??= this.end(grace);
    return this.stopping;
  }

  private async end(grace: number): Promise<void> {
    await this.settled(grace);
    for (const { controller } of this.underWay) controller.abort();
    await this.settled(CUTTING);
    const closed = new Promise<void>((resolve) => this.http.close(() => resolve()));
    this.http.closeAllConnections();
    await closed;
    await this.embeddings.dispose();
  }

  /** Resolves when nothing is under way, or after so many ms. */
  private settled(timeout: number): Promise<void> {
    if (this.underWay.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeout);
      this.idle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const began = performance.now();
    const path = (request.url ?? "").split("?")[0]!;
    const exchange: Exchange = { request, response, controller: new AbortController() };
    // One for each answer.
    setMaxListeners(0, exchange.controller.signal);
    this.underWay.add(exchange);
    response.on("close", () => {
      exchange.controller.abort();
      this.underWay.delete(exchange);
      const status = response.writableFinished ? response.statusCode : CLIENT_GONE;
      this.metrics.record(this.placeOf(path) ?? "other", status, (performance.now() - began) / 1000);
      if (this.underWay.size === 0) this.idle?.();
    });
    try {
      await this.dispatch(path, exchange);
    } catch (error) {
      this.refuse(error, response);
    }
  }

  private async dispatch(path: string, exchange: Exchange): Promise<void> {
    const { request } = exchange;
    assertOwnHost(request, this.host, this.settings);
    if (request.method === "OPTIONS")
      throw new ApiError(403, "requests of pages of other sites are not taken", { code: "origin_not_allowed" });
    if (this.stopping) throw stopping();
    const route = this.routes.get(this.placeOf(path) ?? "");
    if (!route?.isOpen) assertToken(request, this.settings);
    if (!route) throw new ApiError(404, `there is no ${JSON.stringify(path.slice(0, 200))} here`, { code: "unknown_url" });
    if (request.method !== route.method) throw new ApiError(405, `${path} takes ${route.method}`, { headers: { allow: route.method } });
    await route.handle(exchange);
  }

  private refuse(error: unknown, response: ServerResponse): void {
    if (response.destroyed) return;
    const told = apiErrorOf(error);
    this.report(error);
    if (response.headersSent) return void response.destroy();
    const { headers = {} } = told.details;
    respond(response, told.toJSON(), { status: told.status, headers, stallTimeout: this.settings.stallTimeout });
  }

  private report(error: unknown): void {
    if (apiErrorOf(error).status === 500) this.settings.onError?.(error);
  }

  /** The place in the table of a path, if there is one. */
  private placeOf(path: string): string | undefined {
    const place = path.startsWith("/v1/models/") ? "/v1/models/" : path;
    return this.routes.has(place) ? place : undefined;
  }

  private table(): ReadonlyMap<string, Route> {
    const texts = (read: typeof readChat, format: Format): Route => ({
      method: "POST",
      handle: async (exchange) => {
        const body = await readJson(exchange.request, this.settings);
        await this.answer(read(body, this.generator, this.settings), format, exchange);
      },
    });
    return new Map<string, Route>([
      ["/v1/chat/completions", texts(readChat, CHAT)],
      ["/v1/completions", texts(readCompletion, COMPLETION)],
      ["/v1/embeddings", { method: "POST", handle: (exchange) => this.embed(exchange) }],
      [
        "/v1/models",
        {
          method: "GET",
          handle: (exchange) => this.send(exchange, { object: "list", data: this.models.names.map((name) => this.about(name)) }),
        },
      ],
      ["/v1/models/", { method: "GET", handle: (exchange) => this.tell(exchange) }],
      ["/v1/load_lora_adapter", { method: "POST", handle: (exchange) => this.load(exchange) }],
      ["/v1/unload_lora_adapter", { method: "POST", handle: (exchange) => this.unload(exchange) }],
      ["/health", { method: "GET", isOpen: true, handle: (exchange) => this.send(exchange, { status: "ok" }) }],
      ["/metrics", { method: "GET", handle: ({ response }) => this.tellMetrics(response) }],
    ]);
  }

  private answer(request: TextRequest, format: Format, { response, controller }: Exchange): Promise<void> {
    const { generator, settings } = this;
    const adapter = this.models.adapterOf(request.model);
    return answer(request, {
      generator,
      adapter,
      format,
      response,
      controller,
      stallTimeout: settings.stallTimeout,
      onError: (error) => this.report(error),
    });
  }

  private async embed(exchange: Exchange): Promise<void> {
    const { model, input, encoding } = readEmbedding(await readJson(exchange.request, this.settings));
    this.models.assertThere(model);
    const adapter = model === this.settings.modelName ? undefined : model;
    const { vectors, tokens } = await this.embeddings.embed(input, adapter, exchange.controller.signal);
    const data = vectors.map((vector, index) => ({
      object: "embedding",
      index,
      embedding: encoding === "float" ? [...vector] : Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString("base64"),
    }));
    this.send(exchange, { object: "list", data, model, usage: { prompt_tokens: tokens, total_tokens: tokens } });
  }

  private about(name: string): object {
    const { modelName } = this.settings;
    return { id: name, object: "model", created: this.started, owned_by: "weft", ...(name !== modelName && { parent: modelName }) };
  }

  private tell(exchange: Exchange): void {
    let name: string;
    try {
      name = decodeURIComponent(exchange.request.url!.split("?")[0]!.slice("/v1/models/".length));
    } catch {
      throw new ApiError(400, "the model's name is not percent-encoded as it should be");
    }
    this.models.assertThere(name);
    this.send(exchange, this.about(name));
  }

  private async load(exchange: Exchange): Promise<void> {
    this.assertMayChange();
    const fields = new Fields(await readJson(exchange.request, this.settings));
    const [name, path] = [fields.require("lora_name", string), fields.require("lora_path", string)];
    fields.end();
    // Files that are no adapter of this model are the client's fault.
    await this.models.load(name, path).catch((error: unknown) => {
      if (error instanceof WeftError && ["format", "match", "io", "shape"].includes(error.code))
        throw new ApiError(400, error.message, { param: "lora_path", code: error.kind });
      throw error;
    });
    this.send(exchange, this.about(name));
  }

  private async unload(exchange: Exchange): Promise<void> {
    this.assertMayChange();
    const fields = new Fields(await readJson(exchange.request, this.settings));
    const name = fields.require("lora_name", string);
    fields.end();
    await this.models.unload(name);
    await this.embeddings.forget(name);
    this.send(exchange, { id: name, object: "model", deleted: true });
  }

  private assertMayChange(): void {
    const { token, adapterFolders } = this.settings;
    if (token !== undefined && adapterFolders.length > 0) return;
    throw new ApiError(403, "adapters are loaded and unloaded only with a token, and below folders that the server was started with", {
      code: "not_allowed",
    });
  }

  private tellMetrics(response: ServerResponse): void {
    respond(response, this.metrics.text(this.generator), {
      type: "text/plain; version=0.0.4; charset=utf-8",
      stallTimeout: this.settings.stallTimeout,
    });
  }

  private send({ response }: Exchange, body: object): void {
    respond(response, body, { stallTimeout: this.settings.stallTimeout });
  }
}
