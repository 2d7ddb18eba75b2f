import { Agent, type AgentResult, calculatorTool, type Executor, replay, traceToJsonl, Verifier, weftChat } from "@weft/agent";
import { TextGenerator } from "@weft/generation";
import { loadCausalLM } from "@weft/models";
import { openTinyModel } from "@weft/tiny-models";
import { ChatTemplate, HERMES } from "@weft/tokenizers/chat";
import { openDevice, type Tell } from "./setup.js";

const TEMPLATE = ChatTemplate.fromText(
  "{% for t in tools or [] %}{{ t.function.name }} {% endfor %}{% for m in messages %}{{ m.content }}\n{% endfor %}",
);

/** All that this model may calculate: it would not come to the end of a longer text. */
const EXPRESSION = {
  type: "object",
  properties: { expression: { type: "string", pattern: "^[1-9] [*+-] [1-9]$" } },
  required: ["expression"],
  additionalProperties: false,
};

/**
 * A model that has never seen a tool calls one, as decoding allows nothing but valid calls; a program says what its answer is worth; and the run is made again out of its trace.
 */
export async function agent(executor: Executor, tell: Tell): Promise<{ result: AgentResult; replayed: boolean }> {
  const device = await openDevice();
  const { config, weights, tokenizer } = await openTinyModel("llama");
  const model = await loadCausalLM(config, weights, { device });
  const generator = new TextGenerator(model, {
    tokenizer,
    chatTemplate: TEMPLATE,
    defaults: { temperature: 0, eosTokenId: 0 },
    maxBatch: 1,
  });
  const calculating = new Agent({
    model: weftChat(generator, { callFormat: HERMES }),
    tools: [{ ...calculatorTool(executor), parameters: EXPRESSION }],
    verifier: new Verifier(executor),
  });
  const result = await calculating.run("What is 6 times 7?", {
    plan: { steps: [{ task: "calculate", tools: ["calculator"] }] },
    answerBy: "result",
    claims: (answer) => [{ type: "arithmetic", claim: `6 * 7 = ${String(answer)}` }],
    maxTokens: 60,
    prompts: { writer: "" },
  });
  await generator.dispose();
  device.dispose();
  const calls = result.trace.flatMap((event) => (event.type === "call" ? [event] : []));
  for (const { call, result: got } of calls) tell(`${JSON.stringify(call)} → ${got.ok ? got.content : got.error}`);
  tell(`the answer is ${result.status}`);
  return { result, replayed: traceToJsonl(await replay(result.trace)) === traceToJsonl(result.trace) };
}
