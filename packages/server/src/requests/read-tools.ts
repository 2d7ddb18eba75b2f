import type { FunctionTool, JsonSchema } from "@weft/generation";
import { boolean, Fields, isObject, object, objects, oneOf, string } from "./fields.js";
import type { CallableTools } from "./text-request.js";

/** What OpenAI's interface allows. */
const NAME = /^[a-zA-Z0-9_-]{1,64}$/;

/** `tools`, `tool_choice` and `parallel_tool_calls` of a chat; undefined if no tool may be called. @throws ApiError 400 */
export function takeTools(fields: Fields): CallableTools | undefined {
  const tools = fields.take("tools", objects)?.map((tool, i) => readTool(tool, `tools[${i}].`));
  const choice = fields.take("tool_choice", {
    expected: `"auto", "none", "required", or {"type": "function", "function": {"name": …}}`,
    is: (v): v is string | object => (typeof v === "string" && ["auto", "none", "required"].includes(v)) || isObject(v),
  });
  fields.take("parallel_tool_calls", boolean);
  const names = tools?.map((tool) => tool.function.name) ?? [];
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw fields.error("tools", `has two functions called ${JSON.stringify(twice)}`);
  if (choice === undefined || choice === "auto") return tools && { tools };
  if (choice === "none") return undefined;
  if (!tools) throw fields.error("tool_choice", "demands a call, and there are no tools");
  if (choice === "required") return { tools, demanded: tools };
  const wanted = new Fields(choice, "tool_choice.");
  wanted.require("type", oneOf("function"));
  const { name } = wanted.require("function", object);
  wanted.end();
  const demanded = tools.filter((tool) => tool.function.name === name);
  if (demanded.length === 0) throw fields.error("tool_choice", `names ${JSON.stringify(name)}, and tools has ${names.join(", ")}`);
  return { tools, demanded };
}

function readTool(value: object, place: string): FunctionTool {
  const tool = new Fields(value, place);
  tool.require("type", oneOf("function"));
  const given = new Fields(tool.require("function", object), `${place}function.`);
  tool.end();
  const name = given.require("name", {
    expected: `letters, digits, "_" and "-", up to 64`,
    is: (v): v is string => string.is(v) && NAME.test(v),
  });
  const description = given.take("description", string);
  const parameters = given.take("parameters", object) as JsonSchema | undefined;
  // Demanded calls are always as the schema says.
  given.take("strict", boolean);
  given.end();
  return { type: "function", function: { name, ...(description !== undefined && { description }), ...(parameters && { parameters }) } };
}
