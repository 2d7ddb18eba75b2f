import { schemaFaults } from "../tools/schema-faults.js";
import type { SchemaClaim, Verdict } from "./claim.js";

/** Whether the value satisfies the schema. @throws ConfigError kind `tool-schema` */
export function checkSchema({ value, schema }: SchemaClaim): Verdict {
  const faults = schemaFaults(schema, value);
  return faults.length === 0
    ? { status: "verified", check: "schema" }
    : { status: "refuted", check: "schema", witness: faults.slice(0, 5).join("; ") };
}
