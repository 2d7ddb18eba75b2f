/** Errors of agents, their tools and the claims that they verify. */
export interface AgentErrorKinds {
  /** An expression or a claim means nothing, or has no value. The message names the place, or why. */
  calculation: "config";
  /** A formula of logic, or SMT-LIB, means nothing. The message names the place. */
  logic: "config";
  /** An option of an agent, its executor or one of its tools is none. The message names what is expected. */
  "agent-option": "config";
  /** A tool, or the JSON schema of its arguments, is none. The message names why. */
  "tool-schema": "config";
  /** A server's tools are not those that were pinned. Look at them, and pin them anew. */
  "tool-changed": "config";
  /** A package that only some need is not installed. The hint says how to install it. */
  "not-installed": "capability";
  /** A server with OpenAI's interface refuses a request, or answers something else. The message has its words. */
  "server-answer": "capability" | "format";
  /** A trace is none, or a run of it goes another way than it says. The message names the event. */
  trace: "format";
}
