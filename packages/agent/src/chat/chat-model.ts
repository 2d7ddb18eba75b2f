import type { FunctionTool, JsonSchema } from "@weft/generation";
import type { ChatMessage, ToolCall } from "@weft/tokenizers/chat";

/** What a model is asked for. */
export interface ChatRequest {
  readonly messages: readonly ChatMessage[];
  /** Tools that there are. Without a schema the answer is a call of one of them. */
  readonly tools?: readonly FunctionTool[];
  /** The answer is JSON that satisfies this, and no call. */
  readonly schema?: JsonSchema;
  /** Tokens that the answer may have. */
  readonly maxTokens: number;
  readonly seed: number;
}

/** Whether the answer to a request is a call. */
export const wantsCall = ({ tools, schema }: ChatRequest): boolean => tools !== undefined && schema === undefined;

/** What it answers. */
export interface ChatAnswer {
  readonly text: string;
  readonly calls: readonly ToolCall[];
  /** What is wrong with calls that are none. */
  readonly faults: readonly string[];
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** A text generator that an agent works over: a model of weft's, a server, a script. */
export interface ChatModel {
  /** @throws what keeps it from answering */
  chat(request: ChatRequest, options?: { readonly signal?: AbortSignal | undefined }): Promise<ChatAnswer>;
}
