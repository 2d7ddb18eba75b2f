// A model of half a million parameters, which has read novels, learns to call a calculator: a teacher that errs does tasks, a program verifies the answers, and of
// the traces that are verified an adapter is trained.
import {
  Agent,
  calculatorTool,
  type ChatModel,
  distil,
  Executor,
  type RunOptions,
  schemaFaults,
  type Tool,
  type Trace,
  Verifier,
  weftChat,
} from "@weft/agent";
import { batchRows, encodedOf, encodeExamples, loadBatches, readRows, type Sequence, toExamples } from "@weft/datasets";
import { TextGenerator } from "@weft/generation";
import { createWasmBackend } from "@weft/kernels-wasm";
import { LORA_METHODS } from "@weft/methods";
import { loadCausalLM } from "@weft/models";
import { getPeftModel } from "@weft/registry";
import { Device } from "@weft/tensor-core";
import { openTinyModel } from "@weft/tiny-models";
import { ChatTemplate, HERMES } from "@weft/tokenizers/chat";
import { train } from "@weft/training";
import { erringTeacher, type Task, tasks } from "./tasks.js";

/** Calls as Hermes writes them; what the assistant says is trained on. Of tools the names are told. */
const TEMPLATE = ChatTemplate.fromText(
  `{% for tool in tools or [] %}{{ tool.function.name }} {% endfor %}
{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}
{% elif m.role == 'tool' %}{{ m.content }}
{% else %}{% generation %}{% if m.tool_calls %}{% for call in m.tool_calls %}<tool_call>
{{ call.function | tojson }}
</tool_call>{% endfor %}{% else %}{{ m.content }}{% endif %}<|endoftext|>{% endgeneration %}
{% endif %}{% endfor %}`,
);

/** One call of the calculator, whose result is the answer. */
const RUN: RunOptions = {
  plan: { steps: [{ task: "calculate", tools: ["calc"] }] },
  answerBy: "result",
  maxTokens: 60,
  prompts: { writer: "" },
};

/** A first try and a second one, no more. */
const EXAM: RunOptions = { ...RUN, budget: { tokens: 150 } };

/** The calculator under short names: each character is a token of this model. */
const shortCalculator = (executor: Executor): Tool => {
  const { description, run } = calculatorTool(executor);
  const parameters = { type: "object", properties: { e: { type: "string", maxLength: 20 } }, required: ["e"], additionalProperties: false };
  return { name: "calc", description, parameters, run: ({ e }, limits) => run({ expression: e }, limits) };
};

/** How much of it: tasks that the teacher does, tasks that are measured, steps of training. */
export interface Extent {
  readonly taught: number;
  readonly measured: number;
  readonly steps: number;
}

/** What the example's page tells of. */
export const EXTENT: Extent = { taught: 290, measured: 24, steps: 300 };

/** How many of some tasks a model does. */
export interface Measured {
  /** Share of tasks whose first answer is a call of a tool that there is, with arguments as its schema says; decoded freely. */
  readonly validCalls: number;
  /** Share of tasks whose answer was verified; decoded freely. */
  readonly accuracy: number;
}

/** What the example shows. */
export interface Report {
  /** Tasks that the teacher did, and of these the ones that were verified. */
  readonly taught: number;
  readonly verified: number;
  /** Chats that were trained on. */
  readonly rows: number;
  readonly before: Measured;
  /** Before training, with decoding constrained to valid calls. */
  readonly constrained: Measured;
  readonly after: Measured;
}

/** @param onStep sees the loss of each step */
export async function selfTrain(
  executor: Executor,
  { taught, measured, steps }: Extent = EXTENT,
  onStep?: (step: number, loss: number) => void,
): Promise<Report> {
  const device = new Device(await createWasmBackend({ threads: 1 }));
  const verifier = new Verifier(executor);
  const calculator = shortCalculator(executor);
  const all = tasks(1);
  const [lessons, exam] = [all.slice(0, taught), all.slice(taught, taught + measured)];

  const agent = new Agent({ model: erringTeacher(all, 2), tools: [calculator], verifier });
  const traces: Trace[] = [];
  for (const task of lessons) traces.push(await traceOf(agent, task));
  const rows = await distil(traces);

  const { config, weights, tokenizer } = await openTinyModel("llama");
  const examples: Sequence[] = [];
  const file = readRows(rows.map((row) => `${JSON.stringify(row)}\n`).join(""), { format: "jsonl", name: "traces.jsonl" });
  for await (const example of encodeExamples(toExamples(file), {
    tokenizer,
    template: TEMPLATE,
    maxLength: 256,
    endToken: "<|endoftext|>",
  }))
    examples.push(...encodedOf(example));

  const model = await loadCausalLM(config, weights, { device });
  // Novels have no braces: embeddings of the tokens that occur are learnt as well.
  const seen = [...new Set(examples.flatMap(({ ids }) => [...ids]))].toSorted((a, b) => a - b);
  const lora = { peft_type: "LORA", r: 16, lora_alpha: 32, target_modules: "all-linear", trainable_token_indices: seen } as const;
  const peft = await getPeftModel(model, lora, { methods: LORA_METHODS, seed: 0 });
  const measure = async (constrained: boolean): Promise<Measured> => {
    const defaults = { temperature: 0, eosTokenId: 0 };
    const generator = new TextGenerator(peft, { tokenizer, chatTemplate: TEMPLATE, defaults, maxBatch: 8 });
    const result = await exams(weftChat(generator, { callFormat: HERMES, constrained }), calculator, verifier, exam);
    await generator.dispose();
    return result;
  };
  const [before, constrained] = [await measure(false), await measure(true)];

  const data = loadBatches(examples, { batchSize: 8, epochs: 1000, seed: 3, padToMultipleOf: 16 });
  const batches = (async function* () {
    for await (const batch of data) yield batchRows(batch);
  })();
  for await (const { step, loss } of train(peft, batches, {
    maxSteps: steps,
    learningRate: 5e-3,
    lrSchedulerType: "cosine",
    warmupSteps: 5,
  }))
    onStep?.(step, loss);

  const after = await measure(false);
  device.dispose();
  const verified = traces.filter((trace) => verifiedIn(trace)).length;
  return { taught, verified, rows: rows.length, before, constrained, after };
}

const traceOf = async (agent: Agent, { question, claims }: Task, options = RUN): Promise<Trace> =>
  (await agent.run(question, { ...options, claims })).trace;

const verifiedIn = (trace: Trace): boolean => {
  const end = trace.at(-1);
  return end?.type === "end" && end.status === "verified";
};

async function exams(model: ChatModel, calculator: Tool, verifier: Verifier, exam: readonly Task[]): Promise<Measured> {
  const agent = new Agent({ model, tools: [calculator], verifier });
  const traces = await Promise.all(exam.map((task) => traceOf(agent, task, EXAM)));
  const valid = traces.filter((trace) => {
    const first = trace.find((event) => event.type === "model");
    const call = first && "answer" in first ? first.answer.calls[0] : undefined;
    return call?.name === calculator.name && schemaFaults(calculator.parameters, call.arguments).length === 0;
  });
  return { validCalls: valid.length / exam.length, accuracy: traces.filter((trace) => verifiedIn(trace)).length / exam.length };
}
