export type { ChatAnswer, ChatModel, ChatRequest } from "./chat/chat-model.js";
export { openAiChat, type OpenAiChatOptions } from "./chat/openai-chat.js";
export { scriptedChat } from "./chat/scripted-chat.js";
export { weftChat, type WeftChatOptions } from "./chat/weft-chat.js";
export { checkClaim } from "./claims/check-claim.js";
export {
  type ArithmeticClaim,
  type Claim,
  CLAIM_SCHEMA,
  type DateClaim,
  type PropositionalClaim,
  type SchemaClaim,
  type SetClaim,
  type SmtClaim,
  type Verdict,
} from "./claims/claim.js";
export { Verifier, type VerifierOptions } from "./claims/verifier.js";
export { calculate, type Calculated } from "./exact/calculate.js";
export { Executor, type ExecutorOptions } from "./executor/executor.js";
export type { EngineName } from "./executor/protocol.js";
export { Agent, type AgentOptions, type AgentResult, type TaskOptions } from "./run/agent.js";
export { type Plan, planSchema, type PlanStep } from "./run/plan.js";
export type { Budget, Prompts, RunOptions, Setting } from "./run/setting.js";
export { calculatorTool } from "./tools/calculator-tool.js";
export { callTool, MAX_RESULT_BYTES } from "./tools/call-tool.js";
export { fromFunctionTool, toFunctionTool } from "./tools/function-format.js";
export { javascriptTool } from "./tools/javascript-tool.js";
export { logicTool } from "./tools/logic-tool.js";
export { rulesTool } from "./tools/rules-tool.js";
export { schemaFaults } from "./tools/schema-faults.js";
export type { CallLimits, Tool, ToolArguments, ToolFailure, ToolResult } from "./tools/tool.js";
export { distil, type DistilledRow } from "./trace/distil.js";
export type { Ending, Role, Stop, Trace, TraceEvent } from "./trace/events.js";
export { traceFromJsonl, traceToJsonl } from "./trace/jsonl.js";
export { replay, type ReplayOptions } from "./trace/replay.js";
