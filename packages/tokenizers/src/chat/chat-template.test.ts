import { readFileSync } from "node:fs";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { applyChatTemplate, type ChatMessage, ChatTemplate } from "./index.js";
import { openChatTemplate } from "./node/index.js";

interface Chat {
  readonly messages: ChatMessage[];
  readonly tools?: object[];
  readonly documents?: object[];
  readonly add_generation_prompt?: boolean;
  readonly continue_final_message?: boolean;
  readonly enable_thinking?: boolean;
}
const fixture = JSON.parse(readFileSync(join(import.meta.dirname, "../../../../fixtures/models/chat_templates.json"), "utf8")) as {
  now: string;
  tokens: Record<string, string>;
  templates: Record<string, string>;
  chats: Record<string, Chat>;
  cases: { template: string; chat: string; text?: string; spans?: [number, number][]; error?: string }[];
};
const { tokens } = fixture;
const failure = (run: () => unknown): { kind: string; message: string } => {
  try {
    run();
  } catch (error) {
    return error as { kind: string; message: string };
  }
  throw new Error("nothing was thrown");
};

describe("chats of the families, against transformers", () => {
  it.each(fixture.cases.map((one) => [`${one.template}: ${one.chat}`, one] as const))("%s", (_, { template, chat, text, spans, error }) => {
    const { messages, tools, documents, add_generation_prompt, continue_final_message, ...variables } = fixture.chats[chat]!;
    const compiled = ChatTemplate.fromText(fixture.templates[template]!, tokens);
    const options = {
      variables,
      now: new Date(fixture.now),
      ...(tools && { tools }),
      ...(documents && { documents }),
      ...(add_generation_prompt && { addGenerationPrompt: true }),
      ...(continue_final_message && { continueFinalMessage: true }),
    };
    if (error !== undefined) return expect(() => compiled.render(messages, options)).toThrow();
    expect(compiled.render(messages, options)).toBe(text);
    if (spans) expect(compiled.renderWithSpans(messages, options)).toEqual({ text, generationSpans: spans });
  });
});

describe("where templates come from", () => {
  const messages = [{ role: "user", content: "Hi" }];
  it("a config has one, or several under names, and the tokens that they write", () => {
    const config = {
      bos_token: { content: "<s>" },
      chat_template: [
        { name: "default", template: "{{ bos_token }}a" },
        { name: "tool_use", template: "b" },
      ],
    };
    expect(applyChatTemplate(config, messages)).toBe("<s>a");
    expect(applyChatTemplate(config, messages, { tools: [] })).toBe("b");
    expect(applyChatTemplate(config, messages, { template: "tool_use" })).toBe("b");
    expect(failure(() => applyChatTemplate(config, messages, { template: "rag" }))).toMatchObject({ kind: "chat-template-missing" });
    expect(failure(() => applyChatTemplate({}, messages))).toMatchObject({ kind: "chat-template-missing" });
    expect(failure(() => applyChatTemplate({ chat_template: 1 }, messages))).toMatchObject({ kind: "tokenizer-schema" });
  });

  it("a GGUF file has one in its metadata", () => {
    const entries = {
      "tokenizer.chat_template": "{{ eos_token }}{{ messages[0].content }}",
      "tokenizer.ggml.tokens": ["x", "</s>"],
      "tokenizer.ggml.eos_token_id": 1,
    };
    const metadata = new Map(Object.entries(entries).map(([key, value]) => [key, { value }]));
    expect(ChatTemplate.fromGguf(metadata).render(messages)).toBe("</s>Hi");
  });

  it("a folder has files, of which chat_template.jinja counts before the config", () => {
    const folder = mkdtempSync(join(tmpdir(), "weft-chat-"));
    const config = (chat_template?: string): void =>
      writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify({ chat_template, eos_token: "</s>" }));
    config("config{{ eos_token }}");
    expect(openChatTemplate(folder).render(messages)).toBe("config</s>");
    writeFileSync(join(folder, "chat_template.jinja"), "file{{ eos_token }}\n");
    expect(openChatTemplate(folder).render(messages)).toBe("file</s>");
    mkdirSync(join(folder, "additional_chat_templates"));
    writeFileSync(join(folder, "additional_chat_templates/rag.jinja"), "rag");
    expect(openChatTemplate(folder).names).toEqual(["default", "rag"]);
  });
});

describe("templates that fail name the line", () => {
  const messages = [{ role: "user", content: "Hi" }];
  it.each([
    ["a tag that does not end", "a\n{{ 1\n", 2],
    ["a block that does not end", "\n\n{% if true %}\n", 3],
    ["an unknown statement", "{# c\n #}\n{% nothing %}", 3],
    ["a wrong character", "{{ 1 }}\n{{ 'x' }}{{ 1 ; 2 }}", 2],
    ["a function that there is not", "{% for m in messages %}\n{% if m %}x{% endif %}\n{{ nothing() }}\n{% endfor %}", 3],
    ["a condition of elif", "{% if false %}\n{% elif missing.x() %}\n{% endif %}", 2],
    ["a text and a number", "{% generation %}\n\n{{ 'a' + 1 }}{% endgeneration %}", 3],
    ["a macro that calls itself", "x\n{% macro f() %}{{ f() }}{% endmacro %}\n{{ f() }}", 2],
  ])("%s", (_, template, line) => {
    const { kind, message } = failure(() => applyChatTemplate(template, messages));
    expect(kind).toBe("chat-template");
    expect(message).toContain(`line ${line}:`);
  });

  it("refuse messages by raise_exception", () =>
    expect(failure(() => applyChatTemplate("\n{{ raise_exception('no ' ~ messages|length) }}", messages))).toMatchObject({
      kind: "chat-messages",
      message: expect.stringMatching(/line 2, refuses the messages: no 1/),
    }));

  it.each([[[]], [["Hi"]], [[null]], ["Hi"]])("messages %j are none", (wrong) =>
    expect(failure(() => applyChatTemplate("x", wrong as never))).toMatchObject({ kind: "chat-messages" }),
  );
});

describe("templates that would not end are stopped", () => {
  const twice = "{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(60) %}";
  it.each([
    [
      "loops in loops",
      "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}",
    ],
    ["long lists, sorted again and again", "{% for a in range(1000) %}{% set b = range(99999) | sort %}{% endfor %}"],
    ["a long range", "{% for a in range(1000000000) %}{% endfor %}"],
    ["a text that doubles", `${twice}{% set ns.x = ns.x + ns.x %}{% endfor %}`],
    ["a list that doubles", `${twice}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}`],
    ["namespaces that hold each other twice", `${twice}{% set ns.x = namespace(a=ns.x, b=ns.x) %}{% endfor %}{{ ns.x.a | tojson }}`],
    ["much text", "{% for a in range(99999) %}{{ messages[0].content * 1 if false else messages | string }}{% endfor %}".repeat(9)],
    ["a long template", "x".repeat(300_000)],
    ["much white space", " ".repeat(5000)],
  ])("%s", (_, template) =>
    expect(failure(() => applyChatTemplate(template, [{ role: "user", content: "a".repeat(10_000) }]))).toMatchObject({ kind: "limit" }),
  );
});

describe("what the assistant says", () => {
  it("is found in macros, where transformers counts wrongly", () => {
    const { messages } = fixture.chats["long"]!;
    const { text, generationSpans } = applyChatTemplate(fixture.templates["values"]!, messages, { returnSpans: true });
    expect(generationSpans.map((span) => text.slice(...span))).toEqual(["answer 0\n\n", "answer 1\n\n", "answer 2\n\n"]);
  });

  it("has no place where the template changes it after the block", () => {
    const template = "{% set a %}{% generation %} x {% endgeneration %}{% endset %}{{ a | trim }}";
    expect(failure(() => applyChatTemplate(template, [{ role: "user" }], { returnSpans: true }))).toMatchObject({ kind: "chat-template" });
  });

  it("may hold the characters that mark it", () => {
    const content = "\ufdd0\ufdd1 {% generation %}";
    const template = "<{% generation %}{{ messages[0].content }}{% endgeneration %}>";
    expect(applyChatTemplate(template, [{ role: "user", content }], { returnSpans: true })).toEqual({
      text: `<${content}>`,
      generationSpans: [[1, 1 + content.length]],
    });
  });
});
