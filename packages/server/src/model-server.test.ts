import { mkdirSync, symlinkSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { Embedder, Generation, TextGenerator } from "@weft/generation";
import type { PeftModel } from "@weft/registry";
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createServer, type ModelServer, type ServerOptions } from "./index.js";
import { ADAPTERS, type Fixture, makeFixture, MESSAGES, PROMPT, TINY, TOKEN } from "./testing/fixture.js";

let fixture: Fixture;
let generator: TextGenerator;
let server: ModelServer;
let url: string;
let client: OpenAI;

const adapterAt = (name: string): string => join(fixture.adapters, name);

const serve = async (options: ServerOptions = {}, over: TextGenerator = generator): Promise<{ server: ModelServer; url: string }> => {
  const made = createServer(over, { modelName: "tiny", ...options });
  return { server: made, url: (await made.listen()).url };
};

beforeAll(async () => {
  fixture = await makeFixture({ maxBatch: 4, maxWaiting: 40, contextLength: 512 });
  ({ generator } = fixture);
  ({ server, url } = await serve({ token: TOKEN, adapterFolders: [fixture.adapters], bodyTimeout: 300, stallTimeout: 300 }));
  client = new OpenAI({ baseURL: `${url}/v1`, apiKey: TOKEN, maxRetries: 0 });
});
afterAll(async () => {
  await server.stop(0);
  await fixture.dispose();
});

const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${TOKEN}`, ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
const errorOf = async (
  response: Promise<Response>,
): Promise<{ status: number; message: string; param: string | null; code: string | null }> => {
  const answered = await response;
  return {
    status: answered.status,
    ...((await answered.json()) as { error: { message: string; param: string | null; code: string | null } }).error,
  };
};

test("the model and each adapter are models, and completions are what the generator says with that adapter", async () => {
  expect((await client.models.list()).data.map(({ id }) => id)).toEqual(["tiny", ...ADAPTERS]);
  expect(await client.models.retrieve("red")).toMatchObject({ id: "red", object: "model", parent: "tiny" });
  const texts: string[] = [];
  for (const model of ["tiny", ...ADAPTERS]) {
    const adapter = model === "tiny" ? "__base__" : model;
    const want = await generator.generate(PROMPT, { maxNewTokens: 12, temperature: 0.9, topP: 0.9, seed: 5, adapter }).result;
    const got = await client.completions.create({ model, prompt: PROMPT, max_tokens: 12, temperature: 0.9, top_p: 0.9, seed: 5 });
    expect(got).toMatchObject({
      object: "text_completion",
      model,
      choices: [{ index: 0, text: want.text, finish_reason: "length", logprobs: null }],
    });
    expect(got.usage).toEqual({ prompt_tokens: want.promptTokens, completion_tokens: 12, total_tokens: want.promptTokens + 12 });
    texts.push(want.text);
  }
  expect(new Set(texts).size).toBe(3);
});

test("several prompts and several answers, with log-probabilities, biases, penalties and stop texts", async () => {
  const prompts = [PROMPT, "one two"];
  const tokens = prompts.map((prompt) => [...generator.tokenizer.encode(prompt).ids]);
  const banned = (await generator.generate(PROMPT, { maxNewTokens: 1, adapter: "red" }).result).tokens[0]!;
  const options = {
    maxNewTokens: 8,
    temperature: 1.1,
    seed: 3,
    presencePenalty: 1,
    frequencyPenalty: 0.5,
    logitBias: { [banned]: -100 },
    adapter: "red",
  };
  const sent = {
    model: "red",
    n: 2,
    max_tokens: 8,
    temperature: 1.1,
    seed: 3,
    presence_penalty: 1,
    frequency_penalty: 0.5,
    logit_bias: { [banned]: -100 },
  };
  for (const prompt of [prompts, tokens]) {
    const got = await client.completions.create({ ...sent, prompt, logprobs: 2 });
    for (const [i, choice] of got.choices.entries()) {
      const generation = generator.generate(prompts[i >> 1]!, { ...options, sequence: i & 1, topLogprobs: 2 });
      const chunks = [];
      for await (const chunk of generation) chunks.push(chunk);
      expect(choice).toMatchObject({ index: i, text: (await generation.result).text });
      // Up to the rounding of a batch of another size.
      for (const [at, { logprob }] of chunks.entries()) expect(choice.logprobs!.token_logprobs![at]).toBeCloseTo(logprob, 3);
      expect(Math.max(...Object.values(choice.logprobs!.top_logprobs![0]!))).toBeCloseTo(chunks[0]!.topLogprobs![0]!.logprob, 3);
    }
  }
  const free = await generator.generate(PROMPT, { maxNewTokens: 12, adapter: "red" }).result;
  const stop = free.text.slice(4, 6);
  const stopped = await client.completions.create({ model: "red", prompt: PROMPT, max_tokens: 12, stop: [stop] });
  expect(stopped.choices[0]).toMatchObject({ text: free.text.slice(0, free.text.indexOf(stop)), finish_reason: "stop" });
});

test("chats go through the template, tools with them, and a schema makes the answer JSON", async () => {
  const tools = [{ type: "function" as const, function: { name: "look", parameters: { type: "object" } } }];
  const want = await generator.chat(MESSAGES, { maxNewTokens: 10, adapter: "green", tools, topLogprobs: 1 }).result;
  const got = await client.chat.completions.create({
    model: "green",
    messages: [{ role: "user", content: [{ type: "text", text: "Who are you?" }] }],
    max_completion_tokens: 10,
    tools,
    logprobs: true,
    top_logprobs: 1,
    user: "somebody",
  });
  expect(got).toMatchObject({
    object: "chat.completion",
    choices: [{ message: { role: "assistant", content: want.text }, finish_reason: "length" }],
  });
  expect(got.choices[0]!.logprobs!.content!.map(({ bytes }) => bytes)).toEqual(
    want.tokens.map((token) => [...generator.tokenizer.tokenBytes(token)!]),
  );
  const without = await client.chat.completions.create({ model: "green", messages: MESSAGES, max_tokens: 10, tools, tool_choice: "none" });
  expect(without.choices[0]!.message.content).toBe((await generator.chat(MESSAGES, { maxNewTokens: 10, adapter: "green" }).result).text);
  const schema = { type: "object", properties: { legs: { enum: [2, 4] } }, required: ["legs"] };
  const json = await client.chat.completions.create({
    model: "red",
    messages: MESSAGES,
    response_format: { type: "json_schema", json_schema: { name: "animal", schema, strict: true } },
  });
  expect([2, 4]).toContain((JSON.parse(json.choices[0]!.message.content!) as { legs: number }).legs);
});

const PLACES = ["Ulm", "Bern"];
const LOOK = {
  type: "function" as const,
  function: {
    name: "look",
    parameters: { type: "object", properties: { place: { enum: PLACES } }, required: ["place"], additionalProperties: false },
  },
};
const TOOLS = [LOOK, { type: "function" as const, function: { name: "end", parameters: { type: "object", additionalProperties: false } } }];

test("a call that is demanded is one, of the tool that is named and as its schema says", async () => {
  const asked = { model: "red", messages: MESSAGES, tools: TOOLS, tool_choice: { type: "function" as const, function: { name: "look" } } };
  const { choices } = await client.chat.completions.create(asked);
  expect(choices[0]).toMatchObject({ finish_reason: "tool_calls", message: { role: "assistant", content: null } });
  const [call, ...others] = choices[0]!.message.tool_calls!;
  expect(others).toEqual([]);
  expect(call).toMatchObject({ id: expect.stringMatching(/^call_/), type: "function", function: { name: "look" } });
  const args = JSON.parse((call as { function: { arguments: string } }).function.arguments) as { place: string };
  expect(PLACES).toContain(args.place);
  const streamed = await client.chat.completions.stream(asked).finalChatCompletion();
  expect(streamed.choices[0]).toMatchObject({ finish_reason: "tool_calls", message: { tool_calls: [{ function: { name: "look" } }] } });
  expect(
    JSON.parse((streamed.choices[0]!.message.tool_calls![0] as typeof call & { function: { arguments: string } }).function.arguments),
  ).toEqual(args);
  const any = await client.chat.completions.create({ ...asked, tool_choice: "required" });
  expect(any.choices[0]!.message.tool_calls).toHaveLength(1);
  // Cut off in the middle it is no call.
  const cut = await client.chat.completions.create({ ...asked, max_tokens: 2 });
  expect(cut.choices[0]).toMatchObject({ finish_reason: "length", message: { content: expect.stringContaining("{") as string } });
  expect(cut.choices[0]!.message.tool_calls).toBeUndefined();
});

test("calls that a model writes by itself are taken out of its text, and what follows is answered with their results", async () => {
  const prompts: string[] = [];
  // A model that says this, a letter a token.
  const saying = (text: string): TextGenerator =>
    Object.create(generator, {
      generate: {
        value: (prompt: string) => {
          prompts.push(prompt);
          return new Generation((emit) => {
            for (const letter of text) emit({ token: 1, logprob: 0, text: letter });
            return Promise.resolve({ text, tokens: [1], finishReason: "stop", promptTokens: 1 });
          });
        },
      },
    }) as TextGenerator;
  const written =
    'I look <up>.\n<tool_call>\n{"name": "look", "arguments": {"place": "Ulm"}}\n</tool_call>\n<tool_call>{"name": "end", "arguments": {}}</tool_call>';
  const { server: calling, url: at } = await serve({}, saying(written));
  const caller = new OpenAI({ baseURL: `${at}/v1`, apiKey: "none", maxRetries: 0 });
  const asked = { model: "tiny", messages: MESSAGES, tools: TOOLS };
  const { choices } = await caller.chat.completions.create(asked);
  const calls = [
    { type: "function", function: { name: "look", arguments: '{"place":"Ulm"}' } },
    { type: "function", function: { name: "end", arguments: "{}" } },
  ];
  expect(choices[0]).toMatchObject({ finish_reason: "tool_calls", message: { content: "I look <up>.", tool_calls: calls } });
  const stream = caller.chat.completions.stream(asked);
  let told = "";
  stream.on("content", (delta) => (told += delta));
  const streamed = await stream.finalChatCompletion();
  expect(told.trimEnd()).toBe("I look <up>.");
  expect(streamed.choices[0]).toMatchObject({ finish_reason: "tool_calls", message: { tool_calls: calls } });
  const { message } = choices[0]!;
  const results = message.tool_calls!.map(({ id }) => ({ role: "tool" as const, tool_call_id: id, content: "sunny" }));
  await caller.chat.completions.create({ ...asked, messages: [...MESSAGES, message, ...results] });
  expect(prompts.at(-1)).toContain("<tool>sunny");
  await calling.stop(0);
});

test("streams say the same piece by piece, and end with their usage", async () => {
  const want = await Promise.all(
    [0, 1].map((sequence) => generator.chat(MESSAGES, { maxNewTokens: 9, temperature: 1, seed: 8, sequence, adapter: "red" }).result),
  );
  const request = {
    model: "red",
    messages: MESSAGES,
    max_tokens: 9,
    temperature: 1,
    seed: 8,
    n: 2,
    stream: true as const,
    stream_options: { include_usage: true },
  };
  const texts = ["", ""];
  const roles: unknown[] = [];
  const ends: unknown[] = [];
  let usage: unknown;
  for await (const chunk of await client.chat.completions.create(request)) {
    for (const { index, delta, finish_reason: reason } of chunk.choices) {
      texts[index] += delta.content ?? "";
      if (delta.role) roles.push(delta.role);
      if (reason) ends.push(reason);
    }
    if (chunk.usage) usage = chunk.usage;
    else expect(chunk.choices).toHaveLength(1);
  }
  expect({ texts, roles, ends }).toEqual({
    texts: want.map(({ text }) => text),
    roles: ["assistant", "assistant"],
    ends: ["length", "length"],
  });
  expect(usage).toMatchObject({ prompt_tokens: want[0]!.promptTokens, completion_tokens: 18 });
  const answered = await post("/v1/completions", { model: "tiny", prompt: PROMPT, max_tokens: 3, stream: true });
  expect(answered.headers.get("content-type")).toContain("text/event-stream");
  const lines = (await answered.text()).split("\n\n");
  expect(lines.slice(-2)).toEqual(["data: [DONE]", ""]);
  expect(JSON.parse(lines.at(-3)!.slice(6))).toMatchObject({ choices: [{ text: "", finish_reason: "length" }] });
  expect(lines[0]).not.toContain("usage");
});

test("embeddings are those of the model with the adapter that is named", async () => {
  const model = generator.engine.model as unknown as PeftModel<never, never>;
  const { tokenizer } = generator;
  const texts = ["a cat", "a kitten of some more words"];
  const plain = new Embedder(model.baseModel as never, { tokenizer });
  const [base, red] = await Promise.all(
    ["tiny", "red"].map(async (id) => (await client.embeddings.create({ model: id, input: texts })).data),
  );
  const want = await plain.embed(texts);
  for (const [i, { embedding }] of base!.entries()) expect(embedding).toEqual([...want[i]!]);
  expect(red![0]!.embedding).not.toEqual(base![0]!.embedding);
  const floats = await client.embeddings.create({ model: "red", input: texts[1]!, encoding_format: "float" });
  expect(Math.max(...floats.data[0]!.embedding.map((value, i) => Math.abs(value - red![1]!.embedding[i]!)))).toBeLessThan(1e-5);
  expect(floats.usage.prompt_tokens).toBe(tokenizer.encode(texts[1]!).ids.length);
  plain.dispose();
});

test("adapters come and go while others answer, from allowed folders only", async () => {
  const load = (name: string, path: string): Promise<Response> => post("/v1/load_lora_adapter", { lora_name: name, lora_path: path });
  const long = client.completions.create({ model: "red", prompt: PROMPT, max_tokens: 60 });
  expect((await load("blue", adapterAt("blue"))).status).toBe(200);
  const got = await client.completions.create({ model: "blue", prompt: PROMPT, max_tokens: 8 });
  expect(got.choices[0]!.text).toBe((await generator.generate(PROMPT, { maxNewTokens: 8, adapter: "blue" }).result).text);
  expect((await long).choices[0]!.text).toBe((await generator.generate(PROMPT, { maxNewTokens: 60, adapter: "red" }).result).text);
  expect(await errorOf(load("blue", adapterAt("blue")))).toMatchObject({ status: 400, param: "lora_name" });
  const running = client.completions.create({ model: "blue", prompt: PROMPT, max_tokens: 100 });
  await expect.poll(() => generator.engine.counts.running).toBe(1);
  expect(await errorOf(post("/v1/unload_lora_adapter", { lora_name: "blue" }))).toMatchObject({ status: 409 });
  await running;
  expect((await post("/v1/unload_lora_adapter", { lora_name: "blue" })).status).toBe(200);
  expect(await errorOf(post("/v1/completions", { model: "blue", prompt: PROMPT }))).toMatchObject({ status: 404, code: "model_not_found" });
  // Under a name there may be another adapter later, also of embeddings.
  const vector = async (model: string): Promise<number[]> => (await client.embeddings.create({ model, input: "a cat" })).data[0]!.embedding;
  for (const name of ["blue", "red"]) {
    expect((await load("again", adapterAt(name))).status).toBe(200);
    if (name === "red") expect(await vector("again")).toEqual(await vector("red"));
    else expect(await vector("again")).not.toEqual(await vector("red"));
    expect((await post("/v1/unload_lora_adapter", { lora_name: "again" })).status).toBe(200);
  }
  expect(await errorOf(load("x", TINY))).toMatchObject({ status: 403 });
  expect(await errorOf(load("x", join(adapterAt("blue"), "../../..")))).toMatchObject({ status: 403 });
  mkdirSync(adapterAt("leads-out"));
  symlinkSync(TINY, join(adapterAt("leads-out"), "adapter_model.safetensors"));
  expect(await errorOf(load("x", adapterAt("leads-out")))).toMatchObject({ status: 403 });
  mkdirSync(adapterAt("empty"));
  expect(await errorOf(load("x", adapterAt("empty")))).toMatchObject({ status: 400 });
  const bare = await serve();
  const refused = fetch(`${bare.url}/v1/load_lora_adapter`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  expect(await errorOf(refused)).toMatchObject({ status: 403 });
  await bare.server.stop(0);
});

const chat = { model: "tiny", messages: MESSAGES, max_tokens: 2 };
test.each<[string, string, unknown, number, object]>([
  ["no JSON", "/v1/chat/completions", "{", 400, { code: "invalid_json" }],
  ["a key twice", "/v1/chat/completions", '{"model":"tiny","model":"red"}', 400, { code: "invalid_json" }],
  ["an unknown field", "/v1/chat/completions", { ...chat, top_k: 3 }, 400, { param: "top_k", code: "unknown_parameter" }],
  [
    "an unknown field inside",
    "/v1/chat/completions",
    { ...chat, stream: true, stream_options: { x: 1 } },
    400,
    { param: "stream_options.x" },
  ],
  ["a wrong value", "/v1/chat/completions", { ...chat, temperature: "hot" }, 400, { param: "temperature" }],
  ["no messages", "/v1/chat/completions", { model: "tiny" }, 400, { param: "messages" }],
  [
    "an image",
    "/v1/chat/completions",
    { ...chat, messages: [{ role: "user", content: [{ type: "image_url" }] }] },
    400,
    { param: "messages[0]" },
  ],
  ["a demanded call of nothing", "/v1/chat/completions", { ...chat, tool_choice: "required" }, 400, { param: "tool_choice" }],
  [
    "a call of a tool that there is not",
    "/v1/chat/completions",
    { ...chat, tools: [LOOK], tool_choice: { type: "function", function: { name: "hear" } } },
    400,
    { param: "tool_choice" },
  ],
  [
    "a tool without a name",
    "/v1/chat/completions",
    { ...chat, tools: [{ type: "function", function: {} }] },
    400,
    { param: "tools[0].function.name" },
  ],
  [
    "a demanded call that shall be another JSON",
    "/v1/chat/completions",
    { ...chat, tools: [LOOK], tool_choice: "required", response_format: { type: "json_object" } },
    400,
    { param: "tool_choice" },
  ],
  [
    "a schema that is not supported",
    "/v1/chat/completions",
    { ...chat, response_format: { type: "json_schema", json_schema: { schema: { not: {} } } } },
    400,
    { code: "constraint-schema" },
  ],
  ["too many answers", "/v1/completions", { model: "tiny", prompt: "x", n: 17 }, 400, { param: "n" }],
  ["a token that there is not", "/v1/completions", { model: "tiny", prompt: [999_999_999] }, 400, {}],
  ["a bias on nothing", "/v1/completions", { model: "tiny", prompt: "x", logit_bias: { x: 1 } }, 400, { param: "logit_bias" }],
  [
    "more than the context has",
    "/v1/completions",
    { model: "tiny", prompt: "x", max_tokens: 100_000 },
    400,
    { code: "context_length_exceeded" },
  ],
  ["an unknown model", "/v1/embeddings", { model: "none", input: "x" }, 404, { code: "model_not_found" }],
  ["a path that there is not", "/v1/images", {}, 404, { code: "unknown_url" }],
  ["a body that is too large", "/v1/completions", { model: "tiny", prompt: "x".repeat(2 ** 21) }, 413, { code: "body_too_large" }],
])("%s is refused by its status", async (_, path, body, status, about) => {
  expect(await errorOf(post(path, body))).toMatchObject({ status, ...about });
});

test("who may not ask is refused: no token, another host or site, another method or type", async () => {
  expect(await errorOf(post("/v1/completions", {}, { authorization: "Bearer wrong" }))).toMatchObject({
    status: 401,
    code: "invalid_api_key",
  });
  expect((await fetch(`${url}/v1/models`)).status).toBe(401);
  expect((await fetch(`${url}/health`)).status).toBe(200);
  expect(await errorOf(post("/v1/completions", {}, { origin: "https://example.com" }))).toMatchObject({ status: 403 });
  expect(await errorOf(post("/v1/completions", {}, { "sec-fetch-site": "cross-site" }))).toMatchObject({ status: 403 });
  expect(await errorOf(post("/v1/completions", "{}", { "content-type": "text/plain" }))).toMatchObject({ status: 415 });
  expect((await fetch(`${url}/v1/models`, { method: "OPTIONS" })).status).toBe(403);
  const wrongMethod = await fetch(`${url}/v1/completions`, { headers: { authorization: `Bearer ${TOKEN}` } });
  expect([wrongMethod.status, wrongMethod.headers.get("allow")]).toEqual([405, "POST"]);
  expect(await raw("GET /health HTTP/1.1\r\nHost: attacker.example\r\n\r\n")).toMatch(/^HTTP\/1.1 403 /);
  expect(await raw(`GET /health HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1.1 431 /);
  const head = `POST /v1/completions HTTP/1.1\r\nHost: ${url.slice(7)}\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n`;
  expect(await raw(`${head}{"model"`)).toMatch(/^HTTP\/1.1 408 [^]*application\/json/);
  await expect(createServer(generator).listen({ host: "0.0.0.0" })).rejects.toThrow("has no token");
});

/** What a server answers to bytes, until it closes or says nothing more. */
function raw(bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1", () => socket.write(bytes));
    let got = "";
    socket.on("data", (part) => {
      got += String(part);
      if (got.includes("\r\n\r\n")) socket.destroy();
    });
    socket.on("close", () => resolve(got));
    socket.on("error", () => resolve(got));
  });
}

const metrics = async (): Promise<string> => (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } })).text();

test("a full queue is 429, and who has gone makes room", async () => {
  const small = new TextGenerator(generator.engine.model, {
    tokenizer: generator.tokenizer,
    defaults: generator.defaults,
    maxBatch: 1,
    maxWaiting: 1,
  });
  const { server: full, url: at } = await serve({}, small);
  const openai = new OpenAI({ baseURL: `${at}/v1`, apiKey: "none", maxRetries: 0 });
  const ask = (signal?: AbortSignal) => openai.completions.create({ model: "tiny", prompt: PROMPT, max_tokens: 100 }, { signal });
  const controller = new AbortController();
  const gone = [ask(controller.signal), ask(controller.signal)];
  await expect.poll(() => small.engine.counts).toMatchObject({ running: 1, waiting: 1 });
  const refused = await ask().catch((error: unknown) => error as InstanceType<typeof OpenAI.APIError>);
  expect(refused).toMatchObject({ status: 429, code: "queue_full" });
  expect((refused as { headers: Headers }).headers.get("retry-after")).toBe("1");
  controller.abort();
  await Promise.allSettled(gone);
  await expect.poll(() => small.engine.counts).toMatchObject({ running: 0, waiting: 0 });
  expect(small.engine.counts.generatedTokens).toBeLessThan(200);
  expect((await ask()).choices[0]!.text.length).toBeGreaterThan(0);
  await full.stop(0);
  await small.dispose();
});

test("a server that stops lets answers finish, refuses new ones, and cuts off what takes too long", async () => {
  for (const [grace, finishes] of [
    [20_000, true],
    [0, false],
  ] as const) {
    const { server: ending, url: at } = await serve();
    const openai = new OpenAI({ baseURL: `${at}/v1`, apiKey: "none", maxRetries: 0 });
    const running = openai.completions.create({ model: "red", prompt: PROMPT, max_tokens: 100 }).catch((error: unknown) => error);
    await expect.poll(() => generator.engine.counts.running).toBe(1);
    const stopped = ending.stop(grace);
    if (finishes) expect((await fetch(`${at}/health`)).status).toBe(503);
    await stopped;
    expect(await running).toMatchObject(finishes ? { choices: [{ finish_reason: "length" }] } : { status: 503 });
    await expect(fetch(`${at}/health`)).rejects.toThrow();
    expect(generator.engine.counts).toMatchObject({ running: 0, waiting: 0 });
  }
});

test("metrics are text that Prometheus reads", async () => {
  const text = await metrics();
  expect(text).toMatch(/^weft_requests_total\{endpoint="\/v1\/completions",status="200"\} [1-9]/m);
  expect(text).toMatch(/^weft_requests_total\{endpoint="other",status="404"\} 1$/m);
  expect(text).toMatch(/^weft_requests_running 0$/m);
  expect(text).toMatch(/^weft_adapters 2$/m);
  expect(text).toMatch(/^weft_request_duration_seconds_bucket\{le="\+Inf"\} (\d+)\n.*\nweft_request_duration_seconds_count \1$/m);
  for (const line of text.trim().split("\n")) expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{.*\})? [\d.e+-]+)$/);
});
