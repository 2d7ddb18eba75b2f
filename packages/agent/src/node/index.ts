export { pythonTool, type PythonToolOptions } from "./python-tool.js";
