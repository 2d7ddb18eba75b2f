export { type McpClient, type McpTool, mcpTools, type McpToolsOptions, type PinnedTools } from "./mcp-tools.js";
