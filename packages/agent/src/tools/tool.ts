import type { JsonSchema } from "@weft/generation";

/** Why a call gave nothing. `arguments`: they are not as the schema says; `not-allowed`: the plan's step does not have the tool; `missing`: what the tool needs is not installed. */
export type ToolFailure = "arguments" | "not-allowed" | "timeout" | "memory" | "missing" | "failed";

/** What a call gave: a text for the model, or an error that goes back to it as well. */
export type ToolResult =
  | { readonly ok: true; readonly content: string }
  | { readonly ok: false; readonly error: string; readonly reason: ToolFailure };

/** When a call has to end. */
export interface CallLimits {
  readonly signal?: AbortSignal | undefined;
  /** In ms since 1970. */
  readonly deadline: number;
}

/** Something that a model may call. */
export interface Tool {
  /** Letters, digits, `_` and `-`, up to 64: what OpenAI's interface allows. */
  readonly name: string;
  /** For the model: what it does, and when to use it. */
  readonly description: string;
  /** JSON schema of the arguments, an object. */
  readonly parameters: JsonSchema;
  /** `args` are as `parameters` says. What it throws becomes an error of the call. */
  run(args: ToolArguments, limits: CallLimits): Promise<ToolResult>;
}

/** Arguments by name. */
export type ToolArguments = { readonly [name: string]: unknown };
