import type { JsonSchema } from "@weft/generation";
import { ConfigError } from "@weft/tensor-core";
import { isObject } from "../is-object.js";
import { failure } from "../tools/failure.js";
import type { Tool, ToolResult } from "../tools/tool.js";
import { digest } from "../trace/digest.js";

/** A tool as a server lists it. */
export interface McpTool {
  readonly name: string;
  readonly description?: string | undefined;
  readonly inputSchema: { readonly [keyword: string]: unknown };
}

/** What is used of a connected `Client` of `@modelcontextprotocol/sdk`. */
export interface McpClient {
  listTools(params?: {
    readonly cursor?: string;
  }): Promise<{ readonly tools: readonly McpTool[]; readonly nextCursor?: string | undefined }>;
  callTool(
    params: { name: string; arguments: Record<string, unknown> },
    resultSchema?: undefined,
    options?: { signal?: AbortSignal; timeout?: number },
  ): Promise<{ readonly [field: string]: unknown }>;
}

/** Which tools of a server are taken. */
export interface McpToolsOptions {
  /** SHA-256 of each tool as it was when somebody looked at it: `pins` of an earlier listing. A tool that differs, or is not among them, is refused. */
  readonly pins?: { readonly [name: string]: string };
  /** Only these; all if not given. */
  readonly only?: readonly string[];
}

/** Tools of a server, with what they are known by. */
export interface PinnedTools {
  readonly tools: readonly Tool[];
  /** To be kept, and given as `pins` next time. */
  readonly pins: { readonly [name: string]: string };
}

/** Most tools that a server may list. */
const MAX_TOOLS = 1000;

/**
 * The tools of a server of the Model Context Protocol. What a server says is not trusted: descriptions and schemas are pinned by their hashes, results are data. The
 * descriptions that a model sees are those of this listing, whatever the server says later.
 * @param client connected
 * @throws ConfigError kind `tool-changed` naming the tools that differ from their pins, or that no pin names; kind `limit`
 */
export async function mcpTools(client: McpClient, { pins: wanted, only }: McpToolsOptions = {}): Promise<PinnedTools> {
  const listed = (await listAll(client)).filter(({ name }) => only?.includes(name) ?? true);
  const pins: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const { name, description, inputSchema } of listed) pins[name] = await digest({ name, description, inputSchema });
  const changed = wanted ? Object.keys(pins).filter((name) => !Object.hasOwn(wanted, name) || wanted[name] !== pins[name]) : [];
  if (changed.length > 0)
    throw new ConfigError(`the server's tools are not those that were pinned: ${changed.join(", ")}`, {
      kind: "tool-changed",
      hint: "look at their descriptions and schemas, and pin them anew; or take others by `only`",
    });
  return { tools: listed.map((tool) => toolOf(client, tool)), pins };
}

async function listAll(client: McpClient): Promise<readonly McpTool[]> {
  const tools: McpTool[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.listTools(cursor === undefined ? {} : { cursor });
    tools.push(...page.tools);
    if (tools.length > MAX_TOOLS) throw new ConfigError(`the server lists more than ${MAX_TOOLS} tools`, { kind: "limit" });
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return tools;
}

function toolOf(client: McpClient, { name, description = "", inputSchema }: McpTool): Tool {
  return {
    name,
    description,
    parameters: withoutPatterns(inputSchema) as JsonSchema,
    async run(args, { signal, deadline }) {
      const timeout = Math.max(1, deadline - Date.now());
      return resultOf(await client.callTool({ name, arguments: { ...args } }, undefined, { timeout, ...(signal && { signal }) }));
    },
  };
}

/** A regular expression of a server could run for ever; it checks them itself. */
function withoutPatterns(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutPatterns);
  if (!isObject(schema)) return schema;
  const kept = Object.entries(schema).filter(
    ([name, value]) => !(name === "pattern" && typeof value === "string") && name !== "patternProperties",
  );
  return Object.fromEntries(kept.map(([name, value]) => [name, name === "const" || name === "enum" ? value : withoutPatterns(value)]));
}

/** Texts of a result; of other content its type is told. */
function resultOf({ content, structuredContent, isError }: { readonly [field: string]: unknown }): ToolResult {
  const parts = Array.isArray(content) ? (content as unknown[]) : [];
  const texts = parts.map((part) =>
    isObject(part) && typeof part["text"] === "string" ? part["text"] : `[${isObject(part) ? String(part["type"]) : "?"}]`,
  );
  const text = texts.length > 0 ? texts.join("\n") : JSON.stringify(structuredContent ?? {});
  return isError === true ? failure("failed", text) : { ok: true, content: text };
}
