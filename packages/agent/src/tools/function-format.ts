import { ConfigError } from "@weft/tensor-core";
import type { FunctionTool } from "@weft/generation";
import type { Tool } from "./tool.js";

/** A tool in OpenAI's format, as chat templates and servers take it. */
export const toFunctionTool = ({ name, description, parameters }: Tool): FunctionTool => ({
  type: "function",
  function: { name, description, parameters },
});

/**
 * A tool of OpenAI's format, with what it does.
 * @throws ConfigError kind `tool-schema` for what is not in that format
 */
export function fromFunctionTool(given: FunctionTool, run: Tool["run"]): Tool {
  const { type, function: about } = given;
  if (type !== "function" || typeof about?.name !== "string")
    throw new ConfigError(`${JSON.stringify(given)?.slice(0, 80)} is no tool`, {
      kind: "tool-schema",
      hint: 'write {type: "function", function: {name, description, parameters}}',
    });
  const { name, description = "", parameters = { type: "object", properties: {}, additionalProperties: false } } = about;
  return { name, description, parameters, run };
}
