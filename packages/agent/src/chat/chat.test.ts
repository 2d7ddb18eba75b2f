import { type FunctionTool, TextGenerator } from "@weft/generation";
import { createWasmBackend } from "@weft/kernels-wasm";
import { LORA_METHODS } from "@weft/methods";
import { loadCausalLM } from "@weft/models";
import { getPeftModel } from "@weft/registry";
import { createServer } from "@weft/server";
import { Device } from "@weft/tensor-core";
import { openTinyModel } from "@weft/tiny-models";
import { ChatTemplate, HERMES, LLAMA3, MISTRAL } from "@weft/tokenizers/chat";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { schemaFaults } from "../tools/schema-faults.js";
import type { ChatAnswer, ChatModel, ChatRequest } from "./chat-model.js";
import { openAiChat } from "./openai-chat.js";
import { weftChat } from "./weft-chat.js";

const TEMPLATE = ChatTemplate.fromText(
  "{% if tools %}{% for t in tools %}{{ t.function.name }} {% endfor %}{% endif %}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}",
);
const tool = (name: string, parameters: object): FunctionTool => ({
  type: "function",
  function: { name, description: "", parameters: parameters as never },
});
const TOOLS = [
  tool("add", {
    type: "object",
    properties: { a: { type: "integer", minimum: 0, maximum: 99 }, b: { $ref: "#/$defs/n" } },
    required: ["a", "b"],
    additionalProperties: false,
    $defs: { n: { type: "integer", minimum: 0, maximum: 9 } },
  }),
  tool("stop", { type: "object", properties: { why: { enum: ["done", "tired"] } }, required: ["why"], additionalProperties: false }),
];
const MESSAGES = [{ role: "user", content: "Add 1 and 2." }];
const request = (seed: number): ChatRequest => ({ messages: MESSAGES, tools: TOOLS, maxTokens: 120, seed });

let device: Device;
let generator: TextGenerator;
beforeAll(async () => {
  device = new Device(await createWasmBackend({ threads: 1 }));
  const { config, weights, tokenizer } = await openTinyModel("llama");
  const model = await loadCausalLM(config, weights, { device });
  const lora = { peft_type: "LORA", r: 4, lora_alpha: 64, target_modules: "all-linear", init_lora_weights: false } as const;
  const peft = await getPeftModel(model, lora, { methods: LORA_METHODS, seed: 1, adapterName: "planner" });
  await peft.addAdapter("writer", lora, { seed: 2 });
  generator = new TextGenerator(peft, {
    tokenizer,
    chatTemplate: TEMPLATE,
    defaults: { temperature: 1, eosTokenId: 0 },
    adapters: ["planner", "writer"],
    maxBatch: 4,
  });
});
afterAll(async () => {
  await generator.dispose();
  device.dispose();
});

const isValid = ({ calls, faults }: ChatAnswer): boolean => {
  const called = TOOLS.find((one) => one.function.name === calls[0]?.name);
  return (
    faults.length === 0 &&
    calls.length === 1 &&
    called !== undefined &&
    schemaFaults(called.function.parameters!, calls[0]!.arguments).length === 0
  );
};

describe("a model of half a million parameters, which has read novels", () => {
  it.each([HERMES, LLAMA3, MISTRAL])(
    "calls tools validly where it is constrained, as $name does, and not otherwise",
    async (callFormat) => {
      const seeds = Array.from({ length: 8 }, (_, i) => i);
      const asked = (model: ChatModel): Promise<boolean[]> =>
        Promise.all(seeds.map(async (seed) => isValid(await model.chat(request(seed)))));
      expect(await asked(weftChat(generator, { adapter: "__base__", callFormat }))).toEqual(seeds.map(() => true));
      expect(await asked(weftChat(generator, { adapter: "__base__", callFormat, constrained: false }))).toEqual(seeds.map(() => false));
    },
  );

  it("writes JSON of a schema, and plays roles by adapters of one base", async () => {
    const schema = {
      type: "object",
      properties: { n: { type: "integer", minimum: 0, maximum: 999 } },
      required: ["n"],
      additionalProperties: false,
    };
    const wanted: ChatRequest = { messages: MESSAGES, schema, maxTokens: 40, seed: 5 };
    const texts = await Promise.all(
      ["__base__", "planner", "writer"].map(async (adapter) => (await weftChat(generator, { adapter }).chat(wanted)).text),
    );
    for (const text of texts) expect(schemaFaults(schema, JSON.parse(text))).toEqual([]);
    expect(new Set(texts).size).toBe(3);
    const { text, promptTokens, completionTokens } = await weftChat(generator, { adapter: "writer" }).chat(wanted);
    expect(text).toBe(texts[2]);
    expect([promptTokens > 5, completionTokens > 2]).toEqual([true, true]);
  });

  it("is told in words of tools that its template leaves out", async () => {
    let prompt = "";
    const spying = Object.create(generator, {
      generate: {
        value: (ids: readonly number[], options: object) => {
          prompt = generator.tokenizer.decode(ids);
          return generator.generate(ids, options);
        },
      },
    }) as TextGenerator;
    const plain = ChatTemplate.fromText("{% for m in messages %}{{ m.content }}\n{% endfor %}assistant: ");
    Object.defineProperty(spying, "chatText", { value: (messages: never, options: object) => plain.render(messages, options) });
    await weftChat(spying, { adapter: "__base__" }).chat({ ...request(1), tools: [tool("go", { type: "object", properties: {} })] });
    expect(prompt).toContain('"name":"go"');
    expect(prompt.endsWith("assistant: <tool_call>\n")).toBe(true);
  });
});

describe("a server with OpenAI's interface", () => {
  it("of weft's gives valid calls by response_format", async () => {
    const server = createServer(generator, { modelName: "base", token: "a secret" });
    const { url } = await server.listen({ port: 0 });
    try {
      const model = openAiChat({ baseUrl: `${url}/v1/`, model: "base", apiKey: "a secret", calls: "json" });
      for (const seed of [1, 2, 3]) expect(isValid(await model.chat(request(seed)))).toBe(true);
      expect((await model.chat(request(1))).promptTokens).toBeGreaterThan(0);
      const stranger = openAiChat({ baseUrl: `${url}/v1`, model: "base", apiKey: "guess" });
      await expect(stranger.chat({ messages: MESSAGES, maxTokens: 4, seed: 0 })).rejects.toMatchObject({
        kind: "server-answer",
        message: expect.stringContaining("401"),
      });
    } finally {
      await server.stop(0);
    }
  });

  it("is sent what OpenAI's is, and its calls are read", async () => {
    const bodies: { [field: string]: unknown }[] = [];
    const answers: unknown[] = [
      {
        choices: [
          {
            message: { content: null, tool_calls: [{ id: "1", type: "function", function: { name: "add", arguments: '{"a":1,"b":2}' } }] },
          },
        ],
        usage: { prompt_tokens: 7, completion_tokens: 3 },
      },
      { choices: [{ message: { content: '<tool_call>{"name":"add","arguments":{"a":1,"b":2}}</tool_call>' } }] },
      { choices: [] },
      "no JSON",
    ];
    const fetcher = (async (_url: string, init: { body: string }) => {
      bodies.push(JSON.parse(init.body) as { [field: string]: unknown });
      const answer = answers[bodies.length - 1];
      return new Response(typeof answer === "string" ? answer : JSON.stringify(answer));
    }) as unknown as typeof fetch;
    const options = { baseUrl: "http://127.0.0.1:1/v1", model: "m", fetch: fetcher };
    const history = [
      ...MESSAGES,
      {
        role: "assistant",
        content: "",
        tool_calls: [{ id: "call00000", type: "function", function: { name: "add", arguments: { a: 1, b: 2 } } }],
      },
      { role: "tool", tool_call_id: "call00000", content: "3" },
    ];
    const native = await openAiChat(options).chat({ ...request(4), messages: history });
    expect(native).toMatchObject({ calls: [{ name: "add", arguments: { a: 1, b: 2 } }], promptTokens: 7, completionTokens: 3 });
    expect(bodies[0]).toMatchObject({ model: "m", tools: TOOLS, tool_choice: "required", seed: 4, max_tokens: 120 });
    expect((bodies[0]!["messages"] as { tool_calls?: unknown }[])[1]!.tool_calls).toMatchObject([
      { function: { arguments: '{"a":1,"b":2}' } },
    ]);
    expect(await openAiChat({ ...options, calls: "text" }).chat(request(1))).toMatchObject({ calls: [{ name: "add" }] });
    await expect(openAiChat(options).chat(request(1))).rejects.toMatchObject({
      kind: "server-answer",
      message: expect.stringContaining("without a message"),
    });
    await expect(openAiChat(options).chat(request(1))).rejects.toMatchObject({ kind: "server-answer", code: "format" });
  });
});
