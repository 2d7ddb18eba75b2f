import { connect } from "node:net";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import OpenAI from "openai";
import { expect, test } from "vitest";
import { createServer } from "./index.js";
import { ADAPTERS, makeFixture, TOKEN } from "./testing/fixture.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;
/** How long clients keep at it: `SECONDS=60` for the long form. */
const SECONDS = Number(process.env["SECONDS"] ?? 2);
const CLIENTS = 64;
const PROMPTS = ["The quick brown fox", "one two three", "x"];
const MODELS = ["tiny", ...ADAPTERS];
const MAX_TOKENS = 24;

test(`${CLIENTS} clients at once, of which some vanish, read slowly or send nonsense`, { timeout: (SECONDS + 50) * 1000 }, async () => {
  const { generator, adapters, deviceBytes, dispose } = await makeFixture({ maxBatch: 8, maxWaiting: 16 });
  const failures: unknown[] = [];
  const server = createServer(generator, {
    modelName: "tiny",
    token: TOKEN,
    adapterFolders: [adapters],
    bodyTimeout: 2000,
    stallTimeout: 2000,
    maxBodyBytes: 50_000,
    onError: (error) => failures.push(error),
  });
  const { url, port } = await server.listen();
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: TOKEN, maxRetries: 0 });
  const headers = { "content-type": "application/json", authorization: `Bearer ${TOKEN}` };
  const want = new Map<string, string>();
  for (const model of MODELS)
    for (const prompt of PROMPTS) {
      const adapter = model === "tiny" ? "__base__" : model;
      want.set(
        `${model} ${prompt}`,
        (await generator.generate(prompt, { maxNewTokens: MAX_TOKENS, temperature: 0.7, seed: 11, adapter }).result).text,
      );
    }
  expect(new Set(want.values()).size).toBe(want.size);

  const told = new Map<string, number>();
  const count = (what: string): void => void told.set(what, (told.get(what) ?? 0) + 1);
  let drawn = 1;
  let swapping = false;
  const draw = (below: number): number => (drawn = (Math.imul(drawn, 48_271) >>> 0) % 2_147_483_647) % below;
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  const ask = (): { readonly key: string; readonly body: object } => {
    const [model, prompt] = [MODELS[draw(MODELS.length)]!, PROMPTS[draw(PROMPTS.length)]!];
    return { key: `${model} ${prompt}`, body: { model, prompt, max_tokens: MAX_TOKENS, temperature: 0.7, seed: 11 } };
  };
  const send = (body: unknown, more: RequestInit = {}): Promise<Response> =>
    fetch(`${url}/v1/completions`, { method: "POST", headers, body: typeof body === "string" ? body : JSON.stringify(body), ...more });
  /** Whether the queue took a request; it has to say so if not. */
  const taken = (response: Response): boolean => {
    if (response.status === 429) expect(response.headers.get("retry-after")).toBe("1");
    else expect(response.status).toBe(200);
    count(String(response.status));
    return response.status === 200;
  };
  const refused = async (status: number, response: Promise<Response>): Promise<void> => {
    const { status: got, body } = await response;
    await body?.cancel();
    expect(got).toBe(status);
    count(String(status));
  };
  const read = async (key: string, response: Response, pause: number): Promise<void> => {
    let text = "";
    const decoder = new TextDecoder();
    for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(part, { stream: true });
      if (pause > 0) await sleep(pause);
    }
    const events = text
      .split("\n\n")
      .filter((line) => line !== "")
      .map((line) => line.slice(6));
    expect(events.pop()).toBe("[DONE]");
    expect(events.map((event) => (JSON.parse(event) as { choices: [{ text: string }] }).choices[0].text).join("")).toBe(want.get(key));
    count(pause > 0 ? "read slowly" : "read");
  };

  const doings: readonly (() => Promise<void>)[] = [
    ...Array.from({ length: 6 }, () => async () => {
      const { key, body } = ask();
      const response = await send({ ...body, stream: true });
      if (taken(response)) await read(key, response, 0);
    }),
    async () => {
      const { key, body } = ask();
      const response = await send({ ...body, stream: true });
      if (taken(response)) await read(key, response, 10);
    },
    async () => {
      const { key, body } = ask();
      const response = await send(body);
      if (taken(response)) expect(((await response.json()) as { choices: [{ text: string }] }).choices[0].text).toBe(want.get(key));
    },
    async () => {
      const controller = new AbortController();
      const response = await send({ ...ask().body, stream: true }, { signal: controller.signal });
      if (taken(response)) await response.body!.getReader().read();
      controller.abort();
      count("vanished while it read");
    },
    async () => {
      const vanished = send(ask().body, { signal: AbortSignal.timeout(1 + draw(30)) }).then((response) => response.text());
      await vanished.then(
        () => count("answered before it vanished"),
        () => count("vanished while it waited"),
      );
    },
    async () => {
      const vectors = await client.embeddings.create({ model: MODELS[draw(MODELS.length)]!, input: "a text" }).catch((error: unknown) => {
        expect(error).toMatchObject({ status: 429 });
      });
      count(vectors ? "embedded" : "429");
    },
    async () => {
      if (swapping) return;
      swapping = true;
      // What is called blue is another adapter each time.
      const really = ADAPTERS[draw(ADAPTERS.length)]!;
      const change = (what: string): Promise<Response> =>
        fetch(`${url}/v1/${what}_lora_adapter`, {
          method: "POST",
          headers,
          body: JSON.stringify({ lora_name: "blue", ...(what === "load" && { lora_path: join(adapters, really) }) }),
        });
      expect((await change("load")).status).toBe(200);
      const prompt = PROMPTS[draw(PROMPTS.length)]!;
      const response = await send({ ...ask().body, model: "blue", prompt });
      if (taken(response))
        expect(((await response.json()) as { choices: [{ text: string }] }).choices[0].text).toBe(want.get(`${really} ${prompt}`));
      expect((await change("unload")).status).toBe(200);
      count("swapped");
      swapping = false;
    },
    () => refused(413, send("x".repeat(60_000))),
    () => refused(400, send("{".repeat(draw(200) + 1))),
    () => refused(400, send({ ...ask().body, best_offer: 1 })),
    () => refused(404, send({ ...ask().body, model: "none" })),
    () => refused(401, send(ask().body, { headers: { ...headers, authorization: "Bearer no" } })),
    () => refused(403, send(ask().body, { headers: { ...headers, origin: "https://example.com" } })),
    () => refused(415, send("a=b", { headers: { ...headers, "content-type": "application/x-www-form-urlencoded" } })),
    async () => {
      const answered = await new Promise<string>((resolve) => {
        const socket = connect(port, "127.0.0.1", () =>
          socket.write(
            `POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{`,
          ),
        );
        socket.once("data", (part) => {
          socket.destroy();
          resolve(String(part));
        });
      });
      expect(answered).toMatch(/^HTTP\/1\.1 408 /);
      count("408");
    },
  ];
  const run = async (client: number, until: number): Promise<void> => {
    // Each begins with another of the doings.
    let next = client;
    do {
      await doings[next % doings.length]!();
      next = draw(doings.length);
    } while (performance.now() < until);
  };
  /** Bytes of the device while nothing runs, and the cache has two rows. */
  const quiet = async (): Promise<number> => {
    const short = (): Promise<unknown> => generator.generate("x", { maxNewTokens: 2 }).result;
    await expect.poll(() => generator.engine.counts, { timeout: 10_000 }).toMatchObject({ running: 0, waiting: 0 });
    // One request leaves one row or two of them, whatever there were; two that run at once make two of one, and leave two.
    await short();
    await Promise.all([1, 2].map(() => generator.generate("x", { maxNewTokens: MAX_TOKENS }).result));
    // Plans are made again, so that it does not matter which there were.
    await generator.engine.setAdapters(ADAPTERS);
    await short();
    // What its last step was given is freed behind it, and lists of rows with their tensors.
    for (let i = 0; i < 3; i++) {
      collectGarbage();
      await sleep(100);
    }
    return deviceBytes();
  };

  for (const doing of doings) await doing();
  for (const model of MODELS) await client.embeddings.create({ model, input: "a text" });
  await Promise.all(Array.from({ length: CLIENTS }, (_, i) => run(i, performance.now() + 500)));
  const before = await quiet();
  await Promise.all(Array.from({ length: CLIENTS }, (_, i) => run(i, performance.now() + SECONDS * 1000)));
  expect(await quiet()).toBe(before);
  expect(failures).toEqual([]);
  for (const what of [
    "200",
    "429",
    "400",
    "401",
    "403",
    "404",
    "408",
    "413",
    "415",
    "read",
    "read slowly",
    "vanished while it read",
    "vanished while it waited",
    "embedded",
    "swapped",
  ])
    expect(told.get(what), what).toBeGreaterThan(0);
  if (process.env["SECONDS"])
    process.stdout.write(`${JSON.stringify({ seconds: SECONDS, deviceBytes: before, ...Object.fromEntries(told) })}\n`);
  await server.stop(0);
  await dispose();
});
